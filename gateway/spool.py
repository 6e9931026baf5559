"""A bounded, append-only file of JSON lines: where rows wait while PostgreSQL itself is away.

Each process appends to a file of its own and holds a lock on it; whoever drains takes its own file and those whose process is gone.
A line that was torn by a crash is skipped and counted. Delivery is at least once: records carry an id that makes twice harmless.
"""

import fcntl
import hashlib
import json
import os
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import structlog

log = structlog.get_logger(__name__)

Record = Mapping[str, Any]


def default_directory(database_url: str | None) -> Path:
    """A directory of this user's own below the system's temporary one, and of the one PostgreSQL that its records wait for.

    Two gateways on a machine must never drain each other's records into the wrong database.
    """
    belongs_to = hashlib.sha256((database_url or "").encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"api-gateway-{os.getuid()}" / f"spool-{belongs_to}"


class FileSpool:
    """The spool of one kind of record.

    Args:
        directory: made when first written to, readable by this user only.
        name: kind of record; stands in the files' names.
        max_bytes: of all files of this kind together; what does not fit is refused.
    """

    def __init__(self, directory: Path, name: str, max_bytes: int) -> None:
        self._directory = directory
        self._name = name
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._path: Path | None = None
        self._pid = os.getpid()

    def append(self, records: Iterable[Record]) -> int:
        """Write records down; the number that fitted.

        Raises:
            OSError: the directory cannot be written, or its disk is full.
        """
        with self._lock:
            room = self._max_bytes - self._size()
            lines: list[bytes] = []
            for record in records:
                line = json.dumps(record, separators=(",", ":"), default=str).encode() + b"\n"
                room -= len(line)
                if room < 0:
                    break
                lines.append(line)
            if lines:
                self._write(b"".join(lines))
            return len(lines)

    def drain(self, take: Callable[[list[dict[str, Any]]], None], batch_records: int = 500) -> int:
        """Hand every record over, a batch at a time, and remove each file once all of it was taken; the number handed over.

        Whatever `take` raises passes; the file stays, and its records come again next time.
        """
        with self._lock:
            self._close()
            files = self._files()
        return sum(self._drain_file(path, take, batch_records) for path in files)

    def waiting_bytes(self) -> int:
        """Bytes of all files of this kind."""
        with self._lock:
            return self._size()

    def close(self) -> None:
        """Close this process's file; what is in it stays for the next."""
        with self._lock:
            self._close()

    def _open(self) -> int:
        if self._pid != os.getpid():  # a child writes to a file of its own; the parent's lock is not ours
            self._descriptor, self._pid = None, os.getpid()
        if self._descriptor is None:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._directory.stat().st_uid != os.getuid():
                raise PermissionError(f"{self._name}: the spool directory belongs to another user")
            self._path = self._directory / f"{self._name}-{os.getpid()}-{uuid.uuid4().hex}.jsonl"
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        return self._descriptor

    def _write(self, data: bytes) -> None:
        descriptor = self._open()
        try:
            _write_all(descriptor, data)
        except OSError:
            self._close()  # its last line may be torn: what comes next must not continue it
            raise

    def _close(self) -> None:
        if self._descriptor is not None and self._pid == os.getpid():
            os.close(self._descriptor)
        self._descriptor = self._path = None

    def _files(self) -> list[Path]:
        return sorted(self._directory.glob(f"{self._name}-*.jsonl")) if self._directory.is_dir() else []

    def _size(self) -> int:
        total = 0
        for path in self._files():
            with suppress(FileNotFoundError):  # drained meanwhile
                total += path.stat().st_size
        return total

    def _drain_file(self, path: Path, take: Callable[[list[dict[str, Any]]], None], batch_records: int) -> int:
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return 0
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return 0  # its writer lives
            records, taken = self._read(file), 0
            while batch := list(islice(records, batch_records)):
                take(batch)
                taken += len(batch)
            path.unlink(missing_ok=True)
            return taken

    def _read(self, lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
        for line in lines:
            try:
                yield json.loads(line)
            except ValueError:
                log.warning("spool_line_unreadable", spool=self._name, length_bytes=len(line))


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
