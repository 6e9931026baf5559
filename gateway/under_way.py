"""The calls to one server that did not return yet: who else would join a queue that does not move?"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class UnderWay:
    """Counts calls between their begin and their end. Safe for threads; belongs to one process."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """`monotonic`: a clock's, in seconds."""
        self._monotonic = monotonic
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

    def oldest_seconds(self) -> float:
        """How long the oldest has lasted; 0 without one."""
        with self._lock:
            return self._monotonic() - self._began[0] if self._began else 0.0
