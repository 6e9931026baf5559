"""Where the workers of one gunicorn master add up their metrics."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import worker


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(worker, "SHARED_MEMORY", tmp_path)
    worker.metrics_directory.cache_clear()
    yield tmp_path
    worker.metrics_directory.cache_clear()


def test_it_is_made_once(memory: Path) -> None:
    assert worker.metrics_directory() == worker.metrics_directory()
    assert [str(found) for found in memory.iterdir()] == [worker.metrics_directory()]


OTHER_MASTER = """
import sys
from pathlib import Path
from config import worker
worker.SHARED_MEMORY = Path(sys.argv[1])
print(worker.metrics_directory(), flush=True)
sys.stdin.read()
"""


def test_what_a_killed_master_left_is_deleted_and_a_living_ones_is_not(memory: Path) -> None:
    masters = [
        subprocess.Popen([sys.executable, "-c", OTHER_MASTER, memory], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        directories = [master.stdout.readline().strip() for master in masters if master.stdout]
        masters[0].kill()
        masters[0].wait()

        own = worker.metrics_directory()

        assert {str(found) for found in memory.iterdir()} == {directories[1], own}
    finally:
        for master in masters:
            master.kill()
            master.communicate()


def test_a_shared_number_is_seen_after_a_fork() -> None:
    number = worker.SharedNumber()
    number.increment()
    assert number.value == 1
