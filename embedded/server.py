"""What the embedded servers have in common: a directory, a lock, a port, a password, a log, and one process."""

import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import subprocess
from pathlib import Path
from typing import IO, ClassVar

from embedded.errors import EmbeddedError
from embedded.ports import is_free, remembered_port
from embedded.processes import end, is_alive, kill_group, wait_until

LEAST_FREE_BYTES = 200 * 1024 * 1024
START_SECONDS = 30.0
STOP_SECONDS = 4.0


class EmbeddedServer:
    """One server over TCP on loopback, its notes and log in `directory`. Nothing is touched before `start()`.

    `port` None means a free one, remembered in the directory; it stays the same until `stop()`.
    """

    name: str
    stop_signal: ClassVar[signal.Signals]

    def __init__(self, directory: Path, *, port: int | None = None) -> None:
        self.directory = directory.absolute()
        self.log = self.directory / f"{self.name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._asked_port = port
        self._port: int | None = None
        self._lock: IO[str] | None = None

    @property
    def port(self) -> int:
        """The port it listens on; known after `start()`."""
        if self._port is None:
            raise EmbeddedError(f"{self.name} has not been started")
        return self._port

    @property
    def url(self) -> str:
        """What a client connects to, password included; known after `start()`."""
        raise NotImplementedError

    @property
    def is_running(self) -> bool:
        """Whether our process runs."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start the server and wait until it answers; heals what a crash left behind. Does nothing while it runs.

        Raises:
            EmbeddedError: one line: disk full, port in use, directory in use or not ours.
        """
        if self.is_running:
            return
        self._occupy()
        try:
            self._prepare()
            self._port = self._port or self._choose_port()
            self._launch_until_ready()
        except BaseException:
            self.kill()
            self._leave()
            raise

    def stop(self, patience_seconds: float = STOP_SECONDS) -> None:
        """Stop the server in an orderly way, or kill it when that takes too long, and give the directory back.

        Does nothing when it does not run. Both servers lose nothing when killed: they recover at the next start.
        """
        if self.process is not None:
            end(self.process, self.stop_signal, patience_seconds=patience_seconds)
            self.process = None
        self._port = None
        self._leave()

    def kill(self) -> None:
        """End the server as a crash would; `start()` brings it back on the same port with the same data."""
        if self.process is not None:
            kill_group(self.process)
            self.process = None

    def remove(self) -> None:
        """Stop the server and delete its data for ever."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _prepare(self) -> None:
        raise NotImplementedError

    def _launch(self) -> subprocess.Popen[bytes]:
        raise NotImplementedError

    def _is_ready(self) -> bool:
        raise NotImplementedError

    def _occupy(self) -> None:
        """Make the directory ours, and nobody else's while we use it (flock(2) ends with the process, so it never goes stale)."""
        if self._lock is not None:
            return
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = (self.directory / "lock").open("w")
        except PermissionError as error:
            raise EmbeddedError(f"{self.directory} belongs to another user; run as that user, or remove it") from error
        except OSError as error:
            raise EmbeddedError(f"{self.directory} cannot be used: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise EmbeddedError(f"{self.directory} is in use by another process") from error
        self._lock = lock

    def _leave(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _choose_port(self) -> int:
        if self._asked_port is None:
            return remembered_port(self.directory)
        if not is_free(self._asked_port):
            raise EmbeddedError(f"port {self._asked_port}, which {self.name} was given, is in use")
        return self._asked_port

    def _launch_until_ready(self) -> None:
        """Three tries: the remains of a killed server need a moment to go away."""
        for _ in range(3):
            start_of_log = self.log.stat().st_size if self.log.exists() else 0
            self.process = self._launch()
            wait_until(lambda: not self.is_running or self._is_ready(), timeout_seconds=START_SECONDS)
            if self.is_running and self._is_ready():
                return
            self.kill()
            reason = self._last_words(start_of_log)
            if "No space left" in reason:
                raise EmbeddedError(f"the disk of {self.directory} is full: {self.name} cannot start")
        raise EmbeddedError(f"{self.name} did not start: {reason or 'it said nothing'} (log: {self.log})")

    def _last_words(self, start: int) -> str:
        """The most telling line that the server wrote since `start` (bytes into its log)."""
        with self.log.open("rb") as log:
            log.seek(start if start <= self.log.stat().st_size else 0)
            lines = log.read().decode(errors="replace").strip().splitlines()
        telling = [line for line in lines if any(word in line for word in ("FATAL", "PANIC", "No space left", "Bad file format", "# "))]
        return (telling or lines or [""])[-1].strip()

    def _require_space(self, place: Path) -> None:
        free_bytes = shutil.disk_usage(place).free
        if free_bytes < LEAST_FREE_BYTES:
            raise EmbeddedError(
                f"the disk of {place} is full: {free_bytes // 2**20} MB are free, {self.name} needs {LEAST_FREE_BYTES // 2**20}"
            )

    def _password(self) -> str:
        """Made once, readable by us only: loopback alone would let every user of the machine in."""
        note = self.directory / "password"
        if not note.exists() or not note.read_text().strip():
            with contextlib.suppress(FileNotFoundError):
                note.unlink()
            descriptor = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(24))
        return note.read_text().strip()


def read_pid(file: Path) -> int | None:
    """The pid in the first line of a pid file, when a process of that pid runs."""
    try:
        pid = int(file.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
    return pid if is_alive(pid) else None
