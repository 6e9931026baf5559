"""The copies that one process holds: bounded in number and size, the least recently used go first."""

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from gateway.configuration.model import CopyState

MAX_ENTRIES = 4096
MAX_BYTES = 8 * 1024 * 1024  # of JSON text; as Python objects it takes several times that


class Kind(StrEnum):
    """What a copy is of."""

    CONFIG = "config"
    SERVICE = "service"
    SERVICES = "services"
    FLOW = "flow"


Place = tuple[Kind, str]


@dataclass(frozen=True)
class Copy:
    """One copy. `taken`: when the service gave it, on this process's monotonic clock. `size`: characters of JSON."""

    kind: Kind
    key: str
    body: Any
    fetched_at: datetime
    taken: float
    state: CopyState = CopyState.KNOWN
    problem: str | None = None
    overrule: bool = False
    size: int = field(init=False, compare=False)
    digest: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        text = json.dumps(self.body, sort_keys=True)
        object.__setattr__(self, "size", len(text))
        object.__setattr__(self, "digest", hash(text))

    @property
    def place(self) -> Place:
        """What finds it."""
        return self.kind, self.key


class CopyMemory:
    """Safe for threads."""

    def __init__(self, *, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._copies: OrderedDict[Place, Copy] = OrderedDict()
        self._bytes = 0

    def find(self, kind: Kind, key: str) -> Copy | None:
        """The copy, now the most recently used."""
        with self._lock:
            copy = self._copies.get((kind, key))
            if copy:
                self._copies.move_to_end(copy.place)
            return copy

    def put(self, copy: Copy) -> None:
        """Keep it, in place of an older one; the least recently used make room. One too large for all of the room is not kept."""
        with self._lock:
            self._drop(copy.place)
            self._copies[copy.place] = copy
            self._bytes += copy.size
            while self._copies and (len(self._copies) > self._max_entries or self._bytes > self._max_bytes):
                self._drop(next(iter(self._copies)))

    def drop(self, kind: Kind, key: str) -> None:
        """Forget it."""
        with self._lock:
            self._drop((kind, key))

    def list_kind(self, kind: Kind) -> list[Copy]:
        """All of one kind, least recently used first."""
        with self._lock:
            return [copy for copy in self._copies.values() if copy.kind is kind]

    def _drop(self, place: Place) -> None:
        copy = self._copies.pop(place, None)
        if copy:
            self._bytes -= copy.size
