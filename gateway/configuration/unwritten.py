"""What is to be written down as rows: each place once, bounded in number and size, and nothing that was just written as it is."""

import threading
from collections import OrderedDict

from gateway.configuration.memory import Copy, Place

REWRITE_SECONDS = 60.0
MAX_ENTRIES = 4096
MAX_BYTES = 8 * 1024 * 1024  # of JSON text
BATCH_ENTRIES = 200
BATCH_BYTES = 1024 * 1024  # a few tens of ms of PostgreSQL: far below its statement limit

Batch = dict[Place, Copy | None]


class Unwritten:
    """The newest copy of each place that its row lacks; None where the row is to be removed. Safe for threads."""

    def __init__(self, *, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._waiting: OrderedDict[Place, Copy | None] = OrderedDict()
        self._bytes = 0
        self._written: OrderedDict[Place, tuple[int, float]] = OrderedDict()  # digest, and when it was taken

    def add(self, place: Place, copy: Copy | None) -> None:
        """Write it later, in place of what waits for the same row. What finds no room is left out: it comes with the next answer.

        One larger than all of the room waits alone.
        """
        with self._lock:
            if copy and self._is_written(copy):
                return
            if self._has_room(place, copy):
                self._bytes += _size(copy) - _size(self._waiting.get(place))
                self._waiting[place] = copy

    def take(self) -> Batch:
        """What to write next; it waits on until it is settled, behind all others, so that a batch that fails holds up none of them."""
        batch: Batch = {}
        size = 0
        with self._lock:
            for place, copy in self._waiting.items():
                size += _size(copy)
                if batch and (size > BATCH_BYTES or len(batch) == BATCH_ENTRIES):
                    break
                batch[place] = copy
            for place in batch:
                self._waiting.move_to_end(place)
        return batch

    def settle(self, batch: Batch) -> None:
        """It was written, or never can be. What came in its place meanwhile waits on."""
        with self._lock:
            for place, copy in batch.items():
                if place in self._waiting and self._waiting[place] is copy:
                    del self._waiting[place]
                    self._bytes -= _size(copy)
                self._written.pop(place, None)
                if copy:
                    self._written[place] = (copy.digest, copy.taken)
            while len(self._written) > self._max_entries:
                self._written.popitem(last=False)

    def saw(self, copy: Copy) -> None:
        """Another process was told this, and may have written it: what this one wrote before, told again, is news to the row."""
        with self._lock:
            if self._written.get(copy.place, (copy.digest,))[0] != copy.digest:
                del self._written[copy.place]

    def _has_room(self, place: Place, copy: Copy | None) -> bool:
        if place not in self._waiting and len(self._waiting) >= self._max_entries:
            return False
        replaced, size = _size(self._waiting.get(place)), _size(copy)
        others = self._bytes - replaced
        return size <= replaced or not others or others + size <= self._max_bytes

    def _is_written(self, copy: Copy) -> bool:
        if copy.overrule:
            return False
        digest, taken = self._written.get(copy.place, (None, 0.0))
        return digest == copy.digest and copy.taken - taken < REWRITE_SECONDS and copy.place not in self._waiting


def _size(copy: Copy | None) -> int:
    return copy.size if copy else 0
