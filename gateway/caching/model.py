"""What a cached value is: frozen values, no I/O."""

import struct
from dataclasses import dataclass

# version, written at, fresh until: seconds since the epoch, so that every process and both servers mean the same moment.
_HEAD = struct.Struct("!Bdd")
VERSION = 1
LOADED = "loaded"


@dataclass(frozen=True)
class Entry:
    """A value with its times. What a backend stores is `packed()`; its own TTL ends at fresh_until plus the stale window."""

    value: bytes
    written_at: float
    fresh_until: float

    def packed(self) -> bytes:
        return _HEAD.pack(VERSION, self.written_at, self.fresh_until) + self.value


def unpack(stored: bytes) -> Entry | None:
    """The entry; None when another version, or somebody else, wrote it: to a reader that is a miss."""
    if len(stored) < _HEAD.size or stored[0] != VERSION:
        return None
    _, written_at, fresh_until = _HEAD.unpack_from(stored)
    return Entry(stored[_HEAD.size :], written_at, fresh_until)


@dataclass(frozen=True)
class Cached:
    """What a reader gets. `stale`: its TTL is over, its stale window is not, and nothing newer could be had.

    `source`: the backend that held it, or LOADED; then `stored` tells whether it was kept for others.
    """

    value: bytes
    age_seconds: float
    stale: bool
    source: str
    stored: bool = True
