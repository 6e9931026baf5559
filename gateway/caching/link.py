"""One backend of the chain, and whether it is worth a call just now: a dead one costs nothing until its cool-down is over."""

import random
import threading
from collections.abc import Callable

from gateway.caching.model import Entry
from gateway.caching.ports import CacheBackend
from gateway.clock import Clock
from gateway.under_way import CACHE_STUCK_SECONDS, UnderWay

FIRST_COOL_DOWN_SECONDS = 0.5
LONGEST_COOL_DOWN_SECONDS = 3.0  # with jitter below 4 s: a backend that answers again is in use within 5 s
RETURNED_LATELY_SECONDS = 30.0
MOST_REMEMBERED = 10_000
LONGEST_PROBE_SECONDS = 10.0  # a probe that was never reported counts as lost after this


class Link:
    """Calls go through while they succeed. After a failure it rests, then lets one caller at a time through until one succeeds.

    It also remembers which keys changed while the backend was away. What it then still holds of them is older than what was served.
    """

    def __init__(self, backend: CacheBackend, clock: Clock, jitter: Callable[[], float] = random.random) -> None:
        self.backend = backend
        self._clock = clock
        self._jitter = jitter
        self.under_way = UnderWay(clock.monotonic, CACHE_STUCK_SECONDS)
        self._lock = threading.Lock()
        self._failures = 0
        self._resting_until = 0.0
        self._returned_at: float | None = None
        self._changed: dict[str, None] = {}
        self._too_many_changed = False
        self._distrusted_before = 0.0

    @property
    def is_down(self) -> bool:
        return self._failures > 0

    def admits(self) -> bool:
        """Whether to call now; of many callers after a rest, one is told yes."""
        if not self._failures:
            return True
        with self._lock:
            now = self._clock.monotonic()
            if now < self._resting_until:
                return False
            self._resting_until = now + LONGEST_PROBE_SECONDS
            return True

    def failed(self) -> bool:
        """The call failed; True when this is news."""
        with self._lock:
            self._failures += 1
            rest = min(LONGEST_COOL_DOWN_SECONDS, FIRST_COOL_DOWN_SECONDS * 2 ** min(self._failures - 1, 10))
            self._resting_until = self._clock.monotonic() + rest * (0.75 + self._jitter() / 2)
            return self._failures == 1

    def succeeded(self) -> bool:
        """The call succeeded; True when the backend was down before."""
        if not self._failures:
            return False
        with self._lock:
            returned = self._failures > 0
            self._failures = 0
            self._returned_at = self._clock.monotonic()
            return returned

    def returned_lately(self) -> bool:
        """Whether it was down a short while ago, and may lack what its fallbacks hold."""
        return self._returned_at is not None and self._clock.monotonic() - self._returned_at < RETURNED_LATELY_SECONDS

    def distrust_before_return_of(self, first: "Link") -> None:
        """What was written here before `first` was back may be older than what was written there since."""
        if first._returned_at is not None:
            ago = self._clock.monotonic() - first._returned_at
            self._distrusted_before = max(self._distrusted_before, self._clock.now().timestamp() - ago)

    def remember(self, key: str) -> None:
        """Note that the key changed elsewhere."""
        if len(self._changed) < MOST_REMEMBERED:
            self._changed[key] = None
        else:
            self._too_many_changed = True

    def forget_remembered(self) -> None:
        """Delete what changed elsewhere; when that is too much to remember, distrust all that was written until now.

        Raises:
            DatabaseError: the backend is still away; nothing is forgotten.
        """
        if not self._changed:
            return
        changed = list(self._changed)
        self.backend.delete_many(changed)
        if self._too_many_changed:
            self._distrusted_before, self._too_many_changed = self._clock.now().timestamp(), False
        for key in changed:
            self._changed.pop(key, None)

    def trusted(self, entry: Entry | None) -> Entry | None:
        """The entry, unless it may be older than what was served meanwhile."""
        return entry if entry and entry.written_at >= self._distrusted_before else None
