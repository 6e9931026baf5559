"""Where events wait in memory between a request and the next flush: bounded, O(1), and honest about what did not fit."""

import threading
from collections import deque
from collections.abc import Sequence

from gateway.analytics.model import Event


class EventBuffer:
    """A bounded queue of events. Safe to use from many threads."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._events: deque[Event] = deque()
        self._lock = threading.Lock()
        self._dropped = 0

    def add(self, event: Event) -> int:
        """Keep an event; the number that wait now. When full, the new one is dropped and counted: the oldest tell how it began."""
        with self._lock:
            if len(self._events) >= self._capacity:
                self._dropped += 1
            else:
                self._events.append(event)
            return len(self._events)

    def take(self, limit: int) -> list[Event]:
        """Remove the oldest events, at most `limit` of them."""
        with self._lock:
            return [self._events.popleft() for _ in range(min(limit, len(self._events)))]

    def count_dropped(self, events: Sequence[Event]) -> None:
        """Events that were taken but no store would have."""
        with self._lock:
            self._dropped += len(events)

    def __len__(self) -> int:
        return len(self._events)

    @property
    def dropped(self) -> int:
        """Events lost since this process started."""
        return self._dropped
