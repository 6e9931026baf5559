"""The calls to one server that did not return yet: who else would join a queue that does not move?"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

Waited = Callable[[], float]  # seconds that a call has waited for its server by now, asked by any thread
CACHE_STUCK_SECONDS = 0.03  # a cache answers within a millisecond; who comes while a call takes longer does not wait behind it


@dataclass(eq=False, slots=True)
class _Call:
    began: float
    waited: Waited | None


class UnderWay:
    """Counts calls between their begin and their end. Safe for threads; belongs to one process."""

    def __init__(self, monotonic: Callable[[], float], stuck_seconds: float) -> None:
        """`monotonic`: a clock's, in seconds. `stuck_seconds`: a call that lasts as long is one that does not move."""
        self._monotonic = monotonic
        self._stuck_seconds = stuck_seconds
        self._lock = threading.Lock()
        self._calls: list[_Call] = []  # as many as there are threads

    @contextmanager
    def call(self, waited: Waited | None = None) -> Iterator[float]:
        """Around one call; yields when it began.

        Args:
            waited: where the block does more than wait for the server: for how long it waits by now.
        """
        call = _Call(self._monotonic(), waited)
        with self._lock:
            self._calls.append(call)
        try:
            yield call.began
        finally:
            with self._lock:
                self._calls.remove(call)

    def count(self) -> int:
        """How many there are."""
        return len(self._calls)

    def stuck(self) -> int:
        """How many have lasted for so long that the next one had better not join them."""
        now = self._monotonic()
        with self._lock:
            return sum((call.waited() if call.waited else now - call.began) >= self._stuck_seconds for call in self._calls)

    @property
    def is_stuck(self) -> bool:
        """Whether there is one that is stuck."""
        return self.stuck() > 0
