"""What is written down about requests, faults and recoveries, and what can be asked about it. Frozen values, no I/O."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


def new_event_id() -> str:
    """The id that makes writing an event twice harmless."""
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class RequestEvent:
    """One answered request.

    Attributes:
        at: when it came in; aware, UTC.
        route: the route's template (`/api/v1/flows/<flow_id>`), never the path: few values, no ids.
        duration_ms: from the first byte read to the last byte handed to the server.
        bytes_sent: body bytes of the answer.
        caller: name of the credential, not the credential.
        fault_type: a FaultType's value when it ended in a fault.
        served_from: `live`, or what served instead (`memory`, `shared-cache`, `last-known-good`, `cache`, a store's name).
    """

    at: datetime
    route: str
    method: str
    status: int
    duration_ms: float
    bytes_sent: int = 0
    tenant: str | None = None
    caller: str | None = None
    request_id: str | None = None
    fault_type: str | None = None
    served_from: str = "live"
    event_id: str = field(default_factory=new_event_id)


@dataclass(frozen=True, slots=True)
class FaultEvent:
    """One classified fault, in a request, a node or a background loop. Never the message: the masked template's fingerprint."""

    at: datetime
    fault_type: str
    category: str
    severity: str
    source: str
    fingerprint: str
    retryable: bool = False
    target: str | None = None
    vendor_code: str | None = None
    route: str | None = None
    tenant: str | None = None
    request_id: str | None = None
    event_id: str = field(default_factory=new_event_id)


@dataclass(frozen=True, slots=True)
class RecoveryEvent:
    """How one recovery ended. `outcome`: `recovered`, `failed` or `superseded`; `duration_ms` from fault to outcome."""

    at: datetime
    recovery_id: str
    target: str
    fault_type: str
    action: str
    strategy: str
    outcome: str
    duration_ms: float
    fingerprint: str | None = None
    event_id: str = field(default_factory=new_event_id)


Event = RequestEvent | FaultEvent | RecoveryEvent


class Dimension(StrEnum):
    """What counts can be grouped by."""

    ROUTE = "route"
    METHOD = "method"
    STATUS = "status"
    TENANT = "tenant"
    FAULT_TYPE = "fault_type"


@dataclass(frozen=True, slots=True)
class AnalyticsQuery:
    """What is asked: requests with `since` ≤ at < `until` that match every filter, grouped.

    Attributes:
        bucket_seconds: length of a time bucket, aligned to the epoch; None is one bucket for all.
        group_by: dimensions beside time; none is one group.
    """

    since: datetime
    until: datetime
    bucket_seconds: int | None = None
    group_by: tuple[Dimension, ...] = ()
    route: str | None = None
    status: int | None = None
    tenant: str | None = None


@dataclass(frozen=True, slots=True)
class RequestRow:
    """One group. `key` holds the value of each dimension asked for; None is "without".

    Attributes:
        errors: of `count`, those that the platform failed: a status of 500 or more.
        rate_per_second: count over the length of the bucket (or of the whole time asked for).
        p50_ms: with the others, value number ⌊q·n⌋ + 1 of the n durations in ascending order: exact, never interpolated.
    """

    bucket_at: datetime | None
    key: dict[Dimension, str | int | None]
    count: int
    errors: int
    error_rate: float
    rate_per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    bytes_sent: int


@dataclass(frozen=True, slots=True)
class FaultCount:
    """How often one kind of fault was seen, also outside of requests."""

    fault_type: str
    source: str
    target: str | None
    count: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class RequestReport:
    """The answer about requests.

    Attributes:
        served_by: `clickhouse`, or `postgres` when the spool answered.
        truncated: more groups exist than MAX_ROWS; the most frequent were kept.
        pending: events of this process that no store has yet.
    """

    query: AnalyticsQuery
    rows: tuple[RequestRow, ...]
    total: int
    served_by: str
    truncated: bool = False
    pending: int = 0


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """The answer about errors: requests that failed, by group, and every kind of fault."""

    query: AnalyticsQuery
    rows: tuple[RequestRow, ...]
    faults: tuple[FaultCount, ...]
    total: int
    served_by: str
    truncated: bool = False
    pending: int = 0


@dataclass(frozen=True, slots=True)
class AnalyticsState:
    """For `/health`: what waits where, and what was lost since this process started."""

    buffered: int
    written: int
    spooled_bytes: int
    dropped: int
    writing_to: str
