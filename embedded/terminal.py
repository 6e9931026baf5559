"""What `make run` shows: one screen when all is ready, and the lines of every log behind the name of its part."""

import os
import sys
from datetime import datetime
from pathlib import Path

LINES_AT_ONCE = 25
NOTEWORTHY = (
    "ERROR",
    "FATAL",
    "PANIC",
    "Fatal",
    "Can't",
    "No space left",
    "MISCONF",
)  # of the engines, whose everyday lines say nothing here
ENGINES = ("postgres", "redis")
# What happens every few seconds whether anybody asks or not; it stands in the files. Celery's own lines repeat what our tasks log.
ROUTINE = (
    "outbox.sweep",
    "workers.heartbeat",
    "heartbeat-",
    "/heartbeat",
    "path=/health",
    "path=/readyz",
    "celery.worker.strategy",
    "celery.app.trace",
)
ALARMING = ("warning", "error", "critical", "exception", "traceback")


def say(text: str) -> None:
    """A line of our own. A terminal that is gone is no reason to fail."""
    try:
        print(text, flush=True)
    except OSError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for the rest of the process


def event(text: str) -> None:
    """Something happened to a part."""
    say(f"{datetime.now().astimezone():%H:%M:%S}  {'run':<13} | {text}")


def is_worth_showing(name: str, line: str) -> bool:
    """Whether a line of this part's log goes to the terminal too."""
    if name in ENGINES:
        return any(word in line for word in NOTEWORTHY)
    return not any(word in line for word in ROUTINE) or any(word in line.lower() for word in ALARMING)


class Tail:
    """The new lines of one log file since it was last asked."""

    def __init__(self, name: str, log: Path) -> None:
        self._name, self._log = name, log
        self._read = log.stat().st_size if log.exists() else 0
        self.start = self._read

    def skip(self) -> None:
        """Leave what is there unshown; it stays in the file."""
        self._new_lines()

    def show(self) -> None:
        """Print what is new: what is worth it, at most so many lines at once."""
        lines = [line for line in self._new_lines() if is_worth_showing(self._name, line)]
        for line in lines[:LINES_AT_ONCE]:
            say(f"{datetime.now().astimezone():%H:%M:%S}  {self._name:<13} | {line}")
        if len(lines) > LINES_AT_ONCE:
            say(f"{'':8}  {self._name:<13} | … {len(lines) - LINES_AT_ONCE} more lines in {self._log}")

    def last_lines(self, count: int) -> list[str]:
        """The end of what was written since this tail was made."""
        self._read, before = self.start, self._read
        lines = self._new_lines()[-count:]
        self._read = before
        return lines

    def _new_lines(self) -> list[str]:
        if not self._log.exists():
            return []
        with self._log.open("rb") as log:
            if self._log.stat().st_size < self._read:  # set aside and begun anew
                self._read = 0
            log.seek(self._read)
            text = log.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        return whole.decode(errors="replace").splitlines()
