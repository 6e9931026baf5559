"""What a process knows of whether the Configuration Service is worth asking, so that no request waits for what just failed."""

import threading

from gateway.clock import Clock

FIRST_SECONDS = 0.5
CAP_SECONDS = 4.0


class Cooldown:
    """After a failure nobody asks for a while, which doubles up to a cap; then one caller at a time may try.

    Decided without I/O. Safe for threads. The one place that the shared breakers replace.
    """

    def __init__(self, clock: Clock, *, first_seconds: float = FIRST_SECONDS, cap_seconds: float = CAP_SECONDS) -> None:
        self._clock = clock
        self._first_seconds = first_seconds
        self._cap_seconds = cap_seconds
        self._lock = threading.Lock()
        self._failures = 0
        self._closed_until = 0.0

    def admits(self) -> bool:
        """Whether the caller may ask now. While the service is down, a yes is given to one caller for the length of the cap."""
        with self._lock:
            if not self._failures:
                return True
            now = self._clock.monotonic()
            if now < self._closed_until:
                return False
            self._closed_until = now + self._cap_seconds
            return True

    @property
    def remaining_seconds(self) -> float:
        """Until the next caller is admitted; 0 when one would be now."""
        with self._lock:
            return max(0.0, self._closed_until - self._clock.monotonic()) if self._failures else 0.0

    def succeeded(self) -> None:
        """The service answered: everybody may ask."""
        with self._lock:
            self._failures = 0

    def failed(self) -> None:
        """The service did not answer."""
        with self._lock:
            wait = min(self._first_seconds * 2 ** min(self._failures, 16), self._cap_seconds)
            self._failures += 1
            self._closed_until = self._clock.monotonic() + wait
