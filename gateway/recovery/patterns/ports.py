"""What patterns need: an index by meaning, somebody who embeds, and the Flow Registry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Point:
    """A pattern in the space of meanings: 256 numbers, of length 1. Only points of one embedding are ever compared."""

    fingerprint: str
    vector: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A known pattern and its cosine similarity to the point asked about, at most 1."""

    fingerprint: str
    similarity: float


class PatternIndex(Protocol):
    """Finds the nearest known patterns. One contract suite holds for every adapter (tests/contract/patterns).

    Every method raises GatewayError (DatabaseError, DatabaseDisabled), never a vendor exception.
    """

    name: str

    def is_ready(self) -> bool:
        """Whether what the index needs is there: not before `prepare`, nor after its server lost it."""

    def prepare(self) -> None:
        """Make what the index needs, empty; nothing happens when it is ready."""

    def put(self, points: Sequence[Point]) -> None:
        """Keep all of the points, or raise. Putting one again replaces it."""

    def nearest(self, point: Point, limit: int) -> tuple[Neighbour, ...]:
        """Known patterns, the nearest first, the same pattern among them when it is known; at most `limit`, equals by fingerprint."""

    def forget(self, fingerprints: Sequence[str]) -> None:
        """Remove points; unknown ones are passed over."""


class PatternRegistry(Protocol):
    """The Flow Registry, as far as patterns need it (gateway.configuration.flow_registry)."""

    def register(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """Store a new flow.

        Raises:
            Conflict: its id, or its name and version, are taken. InvalidInput: it refuses. Unavailable, UpstreamInvalid.
        """

    def replace(self, document: Mapping[str, Any]) -> bool:
        """Replace the flow of this id; False when there is none.

        Raises:
            Conflict, InvalidInput, Unavailable, UpstreamInvalid.
        """
