"""What was counted, on the wire."""

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Self

from msgspec import Meta

from gateway.analytics.model import AnalyticsQuery, Dimension, ErrorReport, RequestReport, RequestRow
from gateway.api.models.common import JsonObject, Moment, Query, Wire

DEFAULT_SPAN = timedelta(hours=1)
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
DURATION = re.compile(r"([1-9]\d{0,6})([smhd]?)")
DIMENSIONS = {"route": Dimension.ROUTE, "method": Dimension.METHOD, "status": Dimension.STATUS, "tenant": Dimension.TENANT}
DIMENSIONS |= {"faultType": Dimension.FAULT_TYPE, "fault_type": Dimension.FAULT_TYPE}


class Seconds(int):
    """A length of time."""

    schema: ClassVar[JsonObject] = {"type": "string", "pattern": f"^{DURATION.pattern}$"}

    @classmethod
    def from_text(cls, text: str) -> Self:
        """From seconds, or with a unit."""
        match = DURATION.fullmatch(text)
        if match is None:
            raise ValueError("must be a length of time: 60, 30s, 5m, 1h or 1d")
        return cls(int(match.group(1)) * UNIT_SECONDS[match.group(2) or "s"])


class Dimensions(tuple[Dimension, ...]):
    """What to group by, each once, in the order in which it was asked for."""

    __slots__ = ()
    schema: ClassVar[JsonObject] = {"type": "string"}

    @classmethod
    def from_text(cls, text: str) -> Self:
        """From names, separated by commas."""
        names = [name.strip() for name in text.split(",") if name.strip()]
        if not set(names) <= set(DIMENSIONS):
            raise ValueError(f"must be some of {', '.join(sorted({key for key in DIMENSIONS if '_' not in key}))}, separated by commas")
        return cls(dict.fromkeys(DIMENSIONS[name] for name in names))


class AnalyticsParameters(Query, frozen=True):
    """Which requests, and how they are grouped."""

    since: Annotated[Moment | None, Meta(description="ISO 8601; an hour before `until` when absent")] = None
    until: Annotated[Moment | None, Meta(description="ISO 8601; now when absent")] = None
    bucket: Annotated[
        Seconds | None,
        Meta(description="Length of a time bucket: seconds, or 30s, 5m, 1h, 1d; one bucket for all when absent"),
    ] = None
    group_by: Annotated[Dimensions | None, Meta(description="Some of route, method, status, tenant, faultType, separated by commas")] = None
    route: Annotated[str, Meta(max_length=255)] | None = None
    status: Annotated[int, Meta(ge=100, le=599)] | None = None
    tenant: Annotated[str, Meta(max_length=64)] | None = None

    def to_query(self, now: datetime) -> AnalyticsQuery:
        """The question, with its defaults. Whether it makes sense is for the service to say."""
        until = self.until or now
        since = self.since or until - DEFAULT_SPAN
        bucket_seconds = int(self.bucket) if self.bucket else None
        return AnalyticsQuery(since, until, bucket_seconds, self.group_by or (), self.route, self.status, self.tenant)


class RequestRowShape(Wire, frozen=True):
    """One group of requests."""

    bucket_at: Moment | None
    key: dict[str, str | int | None]
    count: int
    errors: int
    error_rate: float
    rate_per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    bytes_sent: int


class FaultCountShape(Wire, frozen=True):
    """How often one kind of fault was seen."""

    fault_type: str
    source: str
    target: str | None
    count: int
    first_at: Moment
    last_at: Moment


class RequestReportShape(Wire, frozen=True):
    """Counts, rates and times, most frequent group first."""

    since: Moment
    until: Moment
    bucket_seconds: int | None
    rows: list[RequestRowShape]
    total: int
    served_by: str
    truncated: bool
    pending: int

    @classmethod
    def of(cls, report: RequestReport | ErrorReport, **more: Any) -> Self:
        """From the report to the wire."""
        return cls(
            since=report.query.since,
            until=report.query.until,
            bucket_seconds=report.query.bucket_seconds,
            rows=[_row(row) for row in report.rows],
            total=report.total,
            served_by=report.served_by,
            truncated=report.truncated,
            pending=report.pending,
            **more,
        )


class ErrorReportShape(RequestReportShape, frozen=True):
    """Requests that failed, and every kind of fault."""

    faults: list[FaultCountShape]


def _row(row: RequestRow) -> RequestRowShape:
    names = {dimension: name for name, dimension in DIMENSIONS.items() if "_" not in name}
    values = {name: getattr(row, name) for name in RequestRowShape.__struct_fields__ if name != "key"}
    return RequestRowShape(key={names[dimension]: value for dimension, value in row.key.items()}, **values)
