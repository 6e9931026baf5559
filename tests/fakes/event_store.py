"""An EventStore in memory. It passes the same contract suite as the engines (tests/contract/analytics)."""

import math
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from gateway.analytics.model import AnalyticsQuery, Event, FaultCount, FaultEvent, RequestEvent, RequestRow
from gateway.analytics.rows import QUANTILES, filters_of, to_group
from gateway.databases.errors import DatabaseUnreachable


class InMemoryEventStore:
    """Keeps events by id. `down` makes every call fail as an unreachable database does; `attempts` counts writes, failed ones too."""

    def __init__(self, name: str = "memory") -> None:
        self.name = name
        self.down = False
        self.attempts = 0
        self.events: dict[str, Event] = {}

    def write(self, events: Sequence[Event], *, again: bool = False) -> None:
        self.attempts += 1
        self._answer()
        for event in events:
            self.events.setdefault(event.event_id, event)

    def count_requests(self, query: AnalyticsQuery, *, failed_only: bool, limit: int) -> tuple[RequestRow, ...]:
        self._answer()
        groups: dict[tuple[Any, ...], list[RequestEvent]] = defaultdict(list)
        for event in self.events.values():
            if isinstance(event, RequestEvent) and _matches(event, query) and (not failed_only or event.status >= 400 or event.fault_type):
                groups[(_bucket(event, query), *(getattr(event, name) for name in query.group_by))].append(event)
        ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), *(_none_first(part) for part in group[0])))
        return tuple(to_group(query, key[0], key[1:], _numbers(events)) for key, events in ordered[:limit])

    def count_faults(self, query: AnalyticsQuery, *, limit: int) -> tuple[FaultCount, ...]:
        self._answer()
        kinds: dict[tuple[Any, ...], list[datetime]] = defaultdict(list)
        for event in self.events.values():
            if isinstance(event, FaultEvent) and _fault_matches(event, query):
                kinds[(event.fault_type, event.source, event.target)].append(event.at)
        ordered = sorted(kinds.items(), key=lambda kind: (-len(kind[1]), *(_none_first(part) for part in kind[0])))
        return tuple(FaultCount(*key, len(times), min(times), max(times)) for key, times in ordered[:limit])

    def forget(self, before: datetime) -> int:
        self._answer()
        old = [event.event_id for event in self.events.values() if event.at < before]
        for event_id in old:
            del self.events[event_id]
        return len(old)

    def _answer(self) -> None:
        if self.down:
            raise DatabaseUnreachable(self.name, "The store does not answer")


def _matches(event: RequestEvent, query: AnalyticsQuery) -> bool:
    return query.since <= event.at < query.until and all(getattr(event, name) == value for name, value in filters_of(query).items())


def _fault_matches(event: FaultEvent, query: AnalyticsQuery) -> bool:
    return query.since <= event.at < query.until and query.route in (None, event.route) and query.tenant in (None, event.tenant)


def _bucket(event: RequestEvent, query: AnalyticsQuery) -> datetime | None:
    if query.bucket_seconds is None:
        return None
    return datetime.fromtimestamp(math.floor(event.at.timestamp() / query.bucket_seconds) * query.bucket_seconds, UTC)


def _none_first(part: Any) -> tuple[bool, Any]:
    return (part is not None, part if part is not None else 0)


def _numbers(events: list[RequestEvent]) -> tuple[Any, ...]:
    durations = sorted(event.duration_ms for event in events)
    quantiles = (durations[_position_of(quantile, len(durations)) - 1] for quantile in QUANTILES)
    return (len(events), sum(event.status >= 500 for event in events), *quantiles, sum(event.bytes_sent for event in events))


def _position_of(quantile: float, count: int) -> int:
    """The number, from 1, of the value that is this quantile of `count` ascending values: ⌊q·n⌋ + 1, in doubles as the engines do it."""
    return min(count, math.floor(quantile * count) + 1)
