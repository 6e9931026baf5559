"""Events as rows and as lines of the local spool, and what groups of rows say. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from gateway.analytics.model import AnalyticsQuery, Dimension, Event, FaultEvent, RecoveryEvent, RequestEvent, RequestRow

TEXT_LIMIT = 300
KINDS: Mapping[str, type[Event]] = {"request": RequestEvent, "fault": FaultEvent, "recovery": RecoveryEvent}
NAMES: Mapping[type[Event], str] = {kind: name for name, kind in KINDS.items()}
QUANTILES = (0.5, 0.95, 0.99)


def to_row(event: Event) -> dict[str, Any]:
    """Column values. Text is cut and cleaned of what no store takes: callers choose tenants and request ids."""
    return {name: _clean(value) if isinstance(value, str) else value for name, value in asdict(event).items()}


def to_line(event: Event) -> dict[str, Any]:
    """A record of the local spool."""
    given = {name: value for name, value in to_row(event).items() if value is not None}
    return {"kind": NAMES[type(event)], **given, "at": event.at.isoformat()}


def from_line(line: Mapping[str, Any]) -> Event | None:
    """An event from the local spool; None for a line of a kind or shape that this version does not know."""
    values = dict(line)
    kind = KINDS.get(values.pop("kind", ""))
    if kind is None:
        return None
    try:
        return kind(**{**values, "at": datetime.fromisoformat(values["at"])})
    except (KeyError, TypeError, ValueError):
        return None


def by_kind(events: Iterable[Event]) -> dict[type[Event], list[Event]]:
    """Events sorted into their kinds."""
    sorted_events: dict[type[Event], list[Event]] = {}
    for event in events:
        sorted_events.setdefault(type(event), []).append(event)
    return sorted_events


def to_group(query: AnalyticsQuery, bucket_at: datetime | None, key: Sequence[Any], numbers: Sequence[Any]) -> RequestRow:
    """A group from what a store computed: `numbers` are count, errors, p50, p95, p99 (ms) and bytes."""
    count, errors, p50, p95, p99, bytes_sent = numbers
    seconds = query.bucket_seconds or max((query.until - query.since).total_seconds(), 1.0)
    return RequestRow(
        bucket_at=bucket_at,
        key=dict(zip(query.group_by, key, strict=True)),
        count=int(count),
        errors=int(errors),
        error_rate=int(errors) / int(count) if count else 0.0,
        rate_per_second=int(count) / seconds,
        p50_ms=float(p50),
        p95_ms=float(p95),
        p99_ms=float(p99),
        bytes_sent=int(bytes_sent),
    )


def filters_of(query: AnalyticsQuery) -> dict[Dimension, str | int]:
    """The filters that are set."""
    given = {Dimension.ROUTE: query.route, Dimension.STATUS: query.status, Dimension.TENANT: query.tenant}
    return {dimension: value for dimension, value in given.items() if value is not None}


def _clean(value: str) -> str:
    return value[:TEXT_LIMIT].replace("\x00", "").encode("utf-8", "replace").decode()
