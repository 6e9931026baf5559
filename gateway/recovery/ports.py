"""What the recovery room needs of others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from gateway.recovery.breaker_model import BreakerState
from gateway.recovery.model import Fault


@dataclass(frozen=True, slots=True)
class SharedBreaker:
    """What all processes know of one breaker.

    Attributes:
        state: closed, open (half open when no time remains), forced_open or disabled.
        version: grows by one with each write; fences a late writer off.
        remaining_seconds: of an open one, as of reading or writing; negative when its time was over so long ago.
        streak: how often it opened in a row.
        decided_at_ms: when it was decided, by the wall clock of who decided it.
        by_operator: an operator's word, which no process overrules.
        blamed: the fault that speaks against the target, when its breaker is not closed and somebody told it.
    """

    target: str
    state: BreakerState
    version: int
    remaining_seconds: float = 0.0
    streak: int = 0
    decided_at_ms: int = 0
    by_operator: bool = False
    blamed: Fault | None = None


class BreakerStore(Protocol):
    """Where processes share their breakers. Every method may block, and raises DatabaseError when the store cannot serve."""

    def read(self) -> Mapping[str, SharedBreaker]:
        """Every shared breaker by its target."""

    def write(self, breaker: SharedBreaker) -> bool:
        """Replace the standing one, whose version must be one less (0 is none); False, and nothing written, when it is another."""

    def lease_probe(self, target: str, version: int, *, limit: int, seconds: float) -> bool:
        """Whether the caller may send one probe: at the most `limit` times for this version, until `seconds` after the first."""
