"""A real `celery` command with all its children, ended whatever happens."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embedded.processes import kill_group, spawn

ROOT = Path(__file__).parents[2]
NOBODY = "http://127.0.0.1:1"
# What lets a worker's death be noticed within seconds, once beat runs.
SHORT_LEASES = {"NODE_LEASE_SECONDS": "2", "RECOVERY_LEASE_SECONDS": "2", "SWEEP_INTERVAL_SECONDS": "1"}


def worker_settings(database_url: str, broker_url: str, directory: Path, *, registry_url: str = NOBODY, **more: str) -> dict[str, str]:
    """The variables of a small worker, and of the web process beside it; `more` are added to them."""
    return {
        "DATABASE_URL": database_url,
        "DRAGONFLY_URL": broker_url,
        "FLOW_REGISTRY_URL": registry_url,
        "WORKER_CONCURRENCY": "2",
        "LOG_FORMAT": "json",
        "SPOOL_DIRECTORY": str(directory / "spool"),
        **more,
    }


class CeleryProcess:
    """One `celery -A <app>` command in a session of its own, which goes when we go; what it says goes to `log`."""

    def __init__(self, arguments: list[str], environment: dict[str, str], log: Path, app: str = "tasks.app") -> None:
        self.log = log
        command = [sys.executable, "-m", "celery", "-A", app, *arguments]
        self.process = spawn(command, log=log, directory=ROOT, environment={**os.environ, **environment})

    def children(self) -> list[int]:
        """The pids of its pool's processes."""
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def kill_children(self) -> None:
        """SIGKILL to each of the pool's processes; the worker itself lives."""
        for child in self.children():
            os.kill(child, signal.SIGKILL)

    def kill_everything(self) -> None:
        """SIGKILL, to the children too."""
        kill_group(self.process)

    def stop(self) -> int:
        """SIGTERM, as a platform stops it; its exit code.

        Raises:
            subprocess.TimeoutExpired: it is still there.
        """
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

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
