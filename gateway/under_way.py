"""The calls to one server that did not return yet: who else would join a queue that does not move?"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

CACHE_STUCK_SECONDS = 0.03  # a cache answers within a millisecond; who comes while a call takes longer does not wait behind it


class UnderWay:
    """Counts calls between their begin and their end. Safe for threads; belongs to one process."""

    def __init__(self, monotonic: Callable[[], float], stuck_seconds: float) -> None:
        """`monotonic`: a clock's, in seconds. `stuck_seconds`: a call that lasts as long is one that does not move."""
        self._monotonic = monotonic
        self._stuck_seconds = stuck_seconds
        self._lock = threading.Lock()
        self._began: list[float] = []  # in their order: a list of as many as there are threads

    @contextmanager
    def call(self) -> Iterator[float]:
        """Around one call; yields when it began."""
        with self._lock:
            began = self._monotonic()
            self._began.append(began)
        try:
            yield began
        finally:
            with self._lock:
                self._began.remove(began)

    def count(self) -> int:
        """How many there are."""
        return len(self._began)

    @property
    def is_stuck(self) -> bool:
        """Whether the oldest has lasted for so long that the next one had better not join it."""
        with self._lock:
            return bool(self._began) and self._monotonic() - self._began[0] >= self._stuck_seconds
