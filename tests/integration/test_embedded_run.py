"""`make run` as a whole: ready, self-healing, one at a time, and gone without a trace however it ends."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.settings import groups
from embedded.plan import ROOT
from embedded.ports import remembered_port
from embedded.postgres import EmbeddedPostgres
from embedded.processes import is_alive, wait_until
from embedded.supervisor import is_ready

PARTS = ("postgres", "redis", "configservice", "gateway", "worker", "beat")
SETTINGS = {name for group in groups().values() for variable in group.variables().values() for name in variable.names}


class Run:
    """One `python -m embedded.run` in a directory of its own, on ports of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.output = directory / "run", directory / "output"
        (directory / "a").mkdir(exist_ok=True)
        (directory / "b").mkdir(exist_ok=True)
        ports = {"PORT": remembered_port(directory / "a"), "CONFIG_SERVICE_PORT": remembered_port(directory / "b")}
        self.url = f"http://127.0.0.1:{ports['PORT']}"
        few = {"WEB_CONCURRENCY": "1", "WORKER_CONCURRENCY": "1"}
        inherited = {name: value for name, value in os.environ.items() if name not in SETTINGS}
        self.environment = {**inherited, **few, **{name: str(port) for name, port in ports.items()}}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "embedded.run", self.directory], cwd=ROOT, env=self.environment, stdout=output, stderr=output
            )
        assert wait_until(lambda: "is ready after" in self.text() or not self.is_running, timeout_seconds=90), self.text()
        assert self.is_running, self.text()

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def text(self) -> str:
        return self.output.read_text()

    def pid(self, part: str) -> int:
        """The part's newest pid, as the terminal shows it."""
        shown = re.findall(rf"^  {part} .* pid (\d+) |{part} runs again \(pid (\d+)\)", self.text(), re.MULTILINE)
        return int(next(filter(None, shown[-1])))

    def everything(self) -> set[int]:
        """Every process of a session that one of the parts leads; PostgreSQL's children lead their own and are found by parent."""
        leaders = {self.pid(part) for part in PARTS}
        found = set(leaders)
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) in leaders or int(fields[3]) in leaders:
                found.add(int(stat.parent.name))
        return found

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    run = Run(tmp_path)
    yield run
    if run.process is not None:
        run.process.kill()
        run.process.wait()
        EmbeddedPostgres(run.directory / "postgres").remove()


def test_it_becomes_ready_says_what_runs_and_stops_without_a_trace(run: Run) -> None:
    run.start()
    assert is_ready(f"{run.url}/readyz")
    for part in PARTS:
        assert is_alive(run.pid(part))
    assert f"curl -s {run.url}/health" in run.text()
    assert (run.directory / "environment").stat().st_mode & 0o777 == 0o600
    everything = run.everything()

    second = subprocess.run(
        [sys.executable, "-m", "embedded.run", run.directory], cwd=ROOT, env=run.environment, capture_output=True, text=True, check=False
    )
    assert (second.returncode, second.stderr.count("\n")) == (1, 1)
    assert "it runs here already" in second.stderr

    run.signal(signal.SIGINT)
    assert run.process is not None
    assert run.process.wait(60) == 0
    assert [pid for pid in everything if is_alive(pid)] == []


def test_what_dies_is_restarted_and_nothing_outlives_a_killed_supervisor(run: Run) -> None:
    run.start()
    before = {part: run.pid(part) for part in PARTS}
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)

    assert wait_until(lambda: all(run.pid(part) != before[part] for part in PARTS), timeout_seconds=60), run.text()
    assert wait_until(lambda: is_ready(f"{run.url}/readyz"), timeout_seconds=60), run.text()

    everything = run.everything()
    run.signal(signal.SIGKILL)
    assert wait_until(lambda: not any(is_alive(pid) for pid in everything), timeout_seconds=20), [p for p in everything if is_alive(p)]


def test_a_process_that_cannot_start_ends_it_with_its_last_words(run: Run) -> None:
    run.environment["GATEWAY_TOKENS"] = "not a token list"
    with pytest.raises(AssertionError, match="make run: gateway does not start"):
        run.start()
    assert run.process is not None
    assert run.process.wait(60) == 1
