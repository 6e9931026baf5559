"""Daemon threads: the one way this house does something in the background of a process."""

import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)


def run_aside(name: str, job: Callable[[], object]) -> None:
    """Call `job` once in a daemon thread. What it raises is logged."""

    def run() -> None:
        try:
            job()
        except Exception:  # nobody waits for it who could be told; the failure is logged with its traceback
            log.exception("aside_failed", job=name)

    threading.Thread(target=run, name=name, daemon=True).start()


class BackgroundLoop:
    """Call `step` again and again until stopped; `step` returns the seconds to wait before its next call.

    A step that raises is logged and called again after `retry_seconds`: the loop never dies silently.
    Not started at construction, and started again after a fork only by the process that wants it.
    """

    def __init__(self, name: str, step: Callable[[], float], *, retry_seconds: float = 5.0) -> None:
        self._name = name
        self._step = step
        self._retry_seconds = retry_seconds
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; does nothing when it runs already."""
        if self._thread and self._thread.is_alive():
            return
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """End the current wait: the next step comes at once."""
        self._wake.set()

    def stop(self, timeout_seconds: float = 2.0) -> None:
        """Ask the loop to end and wait for the step under way."""
        self._stopping.set()
        self._wake.set()
        if self._thread and self._thread is not threading.current_thread():
            self._thread.join(timeout_seconds)

    def _run(self) -> None:
        while not self._stopping.is_set():
            wait_seconds = self._guarded_step()
            self._wake.wait(wait_seconds)
            self._wake.clear()

    def _guarded_step(self) -> float:
        try:
            return self._step()
        except Exception:  # the loop outlives any step; the failure is logged with its traceback
            log.exception("background_step_failed", loop=self._name)
            return self._retry_seconds
