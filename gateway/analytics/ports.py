"""What analytics needs: a store of events. One contract suite holds for every adapter (tests/contract/analytics)."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from gateway.analytics.model import AnalyticsQuery, Event, FaultCount, RequestRow


class EventStore(Protocol):
    """Keeps events and counts them. Every method raises DatabaseError, never a vendor exception."""

    name: str

    def write(self, events: Sequence[Event], *, again: bool = False) -> None:
        """Keep all of the events, or raise. Writing the same event again changes nothing.

        Args:
            again: somebody may have written them before, or be cut off from a write of theirs that the server has not ended.
        """

    def count_requests(self, query: AnalyticsQuery, *, failed_only: bool, limit: int) -> tuple[RequestRow, ...]:
        """Groups, the most frequent first, at most `limit` of them; of equally frequent ones the earlier bucket, then the lower key.

        Args:
            failed_only: only requests with a status of 400 or more, or a fault.
        """

    def count_faults(self, query: AnalyticsQuery, *, limit: int) -> tuple[FaultCount, ...]:
        """Kinds of faults, the most frequent first, at most `limit` of them. Filters: time, route and tenant."""

    def forget(self, before: datetime) -> int:
        """Remove events of the days before `before`; a number of them at a time, so that no lock is held long. 0: nothing is left."""


class Backlog(Protocol):
    """A store that holds events for another one until that one is there."""

    def hand_over(self, take: Callable[[Sequence[Event]], None], limit: int) -> int:
        """Give the oldest events, at most `limit` of each kind, to `take`, and remove them once it returned; the number given.

        Whatever `take` raises passes, and the events stay. Several processes may do it at once: each gets others.
        """
