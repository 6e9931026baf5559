"""The last fallback of the Cache role: this process's own memory, bounded by entries and by bytes."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.caching.errors import NotACounter
from gateway.clock import Clock
from gateway.databases.process_local import ProcessLocal

MAX_ENTRIES = 10_000
MAX_BYTES = 16 * 1024 * 1024
OVERHEAD_BYTES = 200  # of one entry: key, record and their places, about


@dataclass
class _Held:
    value: bytes
    expires_at: float


class InProcessCache:
    """Least recently used goes first. A value larger than an eighth of the whole is not kept: it would evict everything else."""

    name = "in-process"

    def __init__(self, clock: Clock, *, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES) -> None:
        self._store = ProcessLocal(lambda: _Store(clock, max_entries, max_bytes))

    def get(self, key: str) -> bytes | None:
        return self._store.get().get(key)

    def get_many(self, keys: Iterable[str]) -> Mapping[str, bytes]:
        store = self._store.get()
        return {key: value for key in keys if (value := store.get(key)) is not None}

    def set(self, key: str, value: bytes, ttl_seconds: float) -> None:
        self._store.get().set(key, value, ttl_seconds)

    def delete_many(self, keys: Iterable[str]) -> int:
        store = self._store.get()
        return sum(store.delete(key) for key in keys)

    def increment(self, key: str, amount: int, ttl_seconds: float) -> int:
        return self._store.get().increment(key, amount, ttl_seconds)

    def close(self) -> None:
        """Nothing to let go of."""

    @property
    def size_bytes(self) -> int:
        """What is held, counted with its overhead."""
        return self._store.get().size_bytes


class _Store:
    def __init__(self, clock: Clock, max_entries: int, max_bytes: int) -> None:
        self._clock = clock
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self.size_bytes = 0

    def get(self, key: str) -> bytes | None:
        with self._lock:
            held = self._find(key)
            return held.value if held else None

    def set(self, key: str, value: bytes, ttl_seconds: float) -> None:
        with self._lock:
            self._put(key, _Held(value, self._clock.monotonic() + ttl_seconds))

    def delete(self, key: str) -> bool:
        with self._lock:
            found = self._find(key) is not None
            self._remove(key)
            return found

    def increment(self, key: str, amount: int, ttl_seconds: float) -> int:
        with self._lock:
            held = self._find(key)
            count = (_count(held.value) if held else 0) + amount
            self._put(key, _Held(str(count).encode(), held.expires_at if held else self._clock.monotonic() + ttl_seconds))
            return count

    def _find(self, key: str) -> _Held | None:
        held = self._held.get(key)
        if held is None:
            return None
        if held.expires_at <= self._clock.monotonic():
            self._remove(key)
            return None
        self._held.move_to_end(key)
        return held

    def _put(self, key: str, held: _Held) -> None:
        self._remove(key)
        size = _size(key, held)
        if size > self._max_bytes // 8:
            return
        self._held[key] = held
        self.size_bytes += size
        while len(self._held) > self._max_entries or self.size_bytes > self._max_bytes:
            self._remove(next(iter(self._held)))

    def _remove(self, key: str) -> None:
        held = self._held.pop(key, None)
        if held is not None:
            self.size_bytes -= _size(key, held)


def _count(value: bytes) -> int:
    try:
        return int(value)
    except ValueError as error:
        raise NotACounter("The value under this key is no counter") from error


def _size(key: str, held: _Held) -> int:
    return len(key) + len(held.value) + OVERHEAD_BYTES
