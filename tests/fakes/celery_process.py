"""A real `celery` command with all its children, ended whatever happens."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]


class CeleryProcess:
    """One `celery -A <app>` command in a session of its own; what it says goes to `log`."""

    def __init__(self, arguments: list[str], environment: dict[str, str], log: Path, app: str = "tasks.app") -> None:
        self.log = log
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", app, *arguments],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )

    def kill_everything(self) -> None:
        """SIGKILL, to the children too."""
        with suppress(ProcessLookupError):  # nobody is left
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def said(self) -> str:
        """The whole log."""
        return self.log.read_text()


@contextmanager
def celery_worker(environment: dict[str, str], directory: Path, name: str = "w1", app: str = "tasks.app") -> Iterator[CeleryProcess]:
    """A worker, as the Procfile starts it."""
    arguments = ["worker", "--without-gossip", "--without-mingle", "--without-heartbeat", "-n", f"{name}@test"]
    command = CeleryProcess(arguments, environment, directory / f"{name}.log", app)
    try:
        yield command
    finally:
        command.kill_everything()


@contextmanager
def celery_beat(environment: dict[str, str], directory: Path) -> Iterator[CeleryProcess]:
    """Beat."""
    command = CeleryProcess(["beat", "--pidfile", ""], environment, directory / "beat.log")
    try:
        yield command
    finally:
        command.kill_everything()
