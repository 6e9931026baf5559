"""A process of ours that `make run` keeps running: started, watched, restarted, stopped."""

import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from embedded.processes import end, spawn


class Part(Protocol):
    """What `make run` watches: an embedded server or a process of ours."""

    name: str
    log: Path
    process: subprocess.Popen[bytes] | None

    @property
    def is_running(self) -> bool: ...

    def start(self) -> None: ...

    def stop(self, patience_seconds: float) -> None: ...


class Child:
    """One command with a log of its own. `start()` only starts it: whether it is ready is asked over HTTP.

    When we are killed it is killed too (and gunicorn's and Celery's own children notice that and end): a graceful stop that nobody
    watches may hang, and what is under way is claimed by lease, so nothing is lost.
    """

    def __init__(self, name: str, command: Sequence[str], *, log: Path, directory: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None
        self._command, self._directory, self._environment = command, directory, environment

    @property
    def is_running(self) -> bool:
        """Whether our process runs."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start the process; does nothing while it runs."""
        if not self.is_running:
            self.process = spawn(
                self._command, log=self.log, directory=self._directory, environment=self._environment, death_signal=signal.SIGKILL
            )

    def ask_to_stop(self) -> None:
        """Send SIGTERM and do not wait."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def stop(self, patience_seconds: float) -> None:
        """Stop the process and everything it started: SIGTERM, then SIGKILL for whatever of its group is left."""
        if self.process is not None:
            end(self.process, signal.SIGTERM, patience_seconds=max(0.0, patience_seconds))
            self.process = None
