"""gunicorn's threaded worker, taught to leave without dropping a request.

Source: gunicorn 27 `gunicorn/workers/gthread.py` (a stopping worker lets kept-alive connections linger for 2 s) and
`gunicorn/arbiter.py` (SIGTERM closes the master's listeners and stops every worker; SIGHUP starts new workers, then stops the old).
"""

import fcntl
import functools
import logging
import mmap
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

from gunicorn.glogging import Logger

from config.answering import AnsweringWorker

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the place for what processes share; files there are made safely below

METRICS_PREFIX = "gateway-metrics-"


def memory_directory() -> str | None:
    """Where small files that processes share never wait for a disk; None (the usual temporary place) when there is no such place."""
    return str(SHARED_MEMORY) if os.access(SHARED_MEMORY, os.W_OK) else None


@functools.cache
def metrics_directory() -> str:
    """The directory in which the workers of this master add up their metrics; made once, and kept over reloads.

    Its lock goes with the master, however that ends: what a killed one left behind is deleted here by the next.
    """
    parent = memory_directory() or tempfile.gettempdir()
    for left_behind in Path(parent).glob(f"{METRICS_PREFIX}*"):
        if (descriptor := _lock(left_behind)) is not None:
            shutil.rmtree(left_behind, ignore_errors=True)
            os.close(descriptor)
    made = tempfile.mkdtemp(prefix=METRICS_PREFIX, dir=parent)
    while _lock(Path(made)) is None:  # another master took it for a left-behind one in the instant before
        made = tempfile.mkdtemp(prefix=METRICS_PREFIX, dir=parent)
    return made


def _lock(directory: Path) -> int | None:
    """A descriptor that holds the directory's lock until it is closed; None when another process holds it, or it is not ours."""
    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


class PipelineLogger(Logger):  # type: ignore[misc]
    """gunicorn's records go where all records of the process go: to the root logger."""

    def setup(self, cfg: Any) -> None:
        """Give up the handlers of gunicorn's own; called again at each reload."""
        super().setup(cfg)
        for logger in (self.error_log, self.access_log):
            logger.handlers[:] = []
            logger.propagate = True
            logger.setLevel(logging.INFO)


class SharedNumber:
    """A number that the master and its workers see alike. Only the master writes it."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 8)  # anonymous and shared: it survives fork(2), and ends with the last process

    @property
    def value(self) -> int:
        return int.from_bytes(self._memory[:8], "little")

    def increment(self) -> None:
        self._memory[:8] = (self.value + 1).to_bytes(8, "little")


class DrainingWorker(AnsweringWorker):
    """On SIGTERM: tell the application at once, keep accepting for `drain_seconds`, then stop as gunicorn does.

    The application's container, when it has one, hears `begin_drain(leaving=…)`: True when the whole gateway goes, False when
    a rolling restart replaces this worker while others serve on. A second SIGTERM ends the waiting.
    """

    drain_seconds: float = 0.0
    reloads: SharedNumber
    born_at_reload: int

    def container(self) -> Any | None:
        """The container of the application that this worker loaded; None before that, or when it has none."""
        extensions = getattr(getattr(self, "wsgi", None), "extensions", {})
        return extensions.get("container")

    @property
    def is_leaving(self) -> bool:
        """Whether SIGTERM means the whole gateway: no reload has come since this worker was born."""
        return self.reloads.value == self.born_at_reload

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - what signal(2) passes
        """SIGTERM. A signal handler must take no lock, so the work waits for the main loop."""
        if getattr(self, "_draining", False):
            self._stop_accepting()
            return
        self._draining = True
        self.method_queue.defer(self._begin_drain)

    def _begin_drain(self) -> None:
        container = self.container()
        if container is not None:  # in a thread of its own: giving up the lease may take a call, and the loop has requests to accept
            threading.Thread(target=container.begin_drain, kwargs={"leaving": self.is_leaving}, daemon=True).start()
        timer = threading.Timer(self.drain_seconds, self._stop_accepting)
        timer.daemon = True
        timer.start()

    def _stop_accepting(self) -> None:
        super().handle_exit(signal.SIGTERM, None)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Before the last worker of a leaving gateway closes its listeners, it takes in who is already waiting there."""
        if not enabled and not self.alive and self._accepting and self.is_leaving:
            for listener in self.sockets:
                self._accept_waiting(listener)
            super().set_accept_enabled(False)
            for listener in self.sockets:  # newcomers are refused at once instead of waiting for nobody
                listener.close()
            return
        super().set_accept_enabled(enabled)

    def _accept_waiting(self, listener: socket.socket) -> None:
        deadline = time.monotonic() + 1.0
        before = -1
        while self.nr_conns != before and time.monotonic() < deadline:
            before = self.nr_conns
            self.accept(listener)
