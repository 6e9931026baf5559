"""A part that dies is started again: at once, then with growing pauses."""

import subprocess
from pathlib import Path

import pytest

from embedded.errors import EmbeddedError
from embedded.terminal import Tail
from embedded.watched import LONGEST_PAUSE_SECONDS, STABLE_SECONDS, Watched


class FakePart:
    """Runs when started, until told to die."""

    name = "redis"

    def __init__(self, directory: Path) -> None:
        self.log = directory / "redis.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.is_running = True
        self.starts = 0
        self.refusal: EmbeddedError | None = None

    def start(self) -> None:
        self.starts += 1
        if self.refusal:
            raise self.refusal
        self.is_running = True

    def stop(self, patience_seconds: float) -> None:
        self.is_running = False


@pytest.fixture
def part(tmp_path: Path) -> FakePart:
    return FakePart(tmp_path)


@pytest.fixture
def watched(part: FakePart) -> Watched:
    return Watched(part, Tail(part.name, part.log))


def pauses(watched: Watched, part: FakePart, deaths: int) -> list[float]:
    """How long each of so many deaths in a row keeps it down, in seconds, looked at every tenth."""
    now, found = 100.0, []
    for _ in range(deaths):
        part.is_running, died_at = False, now
        while not part.is_running:
            watched.revive(now)
            now += 0.1 if not part.is_running else 0.0
        found.append(round(now - died_at))
    return found


def test_a_part_that_runs_is_left_alone(watched: Watched, part: FakePart) -> None:
    watched.revive(now=1.0)
    assert part.starts == 0


def test_pauses_grow_to_a_cap(watched: Watched, part: FakePart) -> None:
    assert pauses(watched, part, 8) == [0, 1, 2, 4, 8, 15, 15, 15]
    assert LONGEST_PAUSE_SECONDS == 15


def test_a_part_that_was_stable_is_started_at_once_again(watched: Watched, part: FakePart) -> None:
    pauses(watched, part, 4)
    watched.revive(now=watched.started_at + STABLE_SECONDS + 1)
    assert pauses(watched, part, 1) == [0]


def test_a_part_that_cannot_start_is_tried_again_later_and_says_why(
    watched: Watched, part: FakePart, capsys: pytest.CaptureFixture[str]
) -> None:
    part.is_running, part.refusal = False, EmbeddedError("the disk is full")
    watched.revive(now=0.0)
    assert "redis could not be started: the disk is full" in capsys.readouterr().out

    part.refusal = None
    watched.revive(now=0.1)
    assert not part.is_running
    watched.revive(now=1.2)
    assert part.is_running
