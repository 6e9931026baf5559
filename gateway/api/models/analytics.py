"""What was counted, on the wire."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field

from gateway.analytics.model import AnalyticsQuery, Dimension, ErrorReport, RequestReport, RequestRow
from gateway.api.models.common import Query, Wire

DEFAULT_SPAN = timedelta(hours=1)
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
DURATION = re.compile(r"([1-9]\d{0,6})([smhd]?)")
DIMENSIONS = {"route": Dimension.ROUTE, "method": Dimension.METHOD, "status": Dimension.STATUS, "tenant": Dimension.TENANT}
DIMENSIONS |= {"faultType": Dimension.FAULT_TYPE, "fault_type": Dimension.FAULT_TYPE}


def _seconds(value: object) -> object:
    match = DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a length of time: 60, 30s, 5m, 1h or 1d")
    return int(match.group(1)) * UNIT_SECONDS[match.group(2) or "s"]


def _dimensions(value: object) -> object:
    names = [name.strip() for name in str(value).split(",") if name.strip()]
    unknown = next((name for name in names if name not in DIMENSIONS), None)
    if unknown:
        raise ValueError(f"must be some of {', '.join(sorted({key for key in DIMENSIONS if '_' not in key}))}, separated by commas")
    return tuple(dict.fromkeys(DIMENSIONS[name] for name in names))


def _aware(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Moment = Annotated[datetime, AfterValidator(_aware)]


class AnalyticsParameters(Query):
    """Which requests, and how they are grouped."""

    since: Moment | None = Field(None, description="ISO 8601; an hour before `until` when absent")
    until: Moment | None = Field(None, description="ISO 8601; now when absent")
    bucket: Annotated[int, BeforeValidator(_seconds)] | None = Field(
        None, description="Length of a time bucket: seconds, or with a unit (30s, 5m, 1h, 1d); one bucket for all when absent"
    )
    group_by: Annotated[tuple[Dimension, ...], BeforeValidator(_dimensions)] = Field(
        (), description="Some of route, method, status, tenant, faultType, separated by commas"
    )
    route: str | None = Field(None, max_length=255)
    status: int | None = Field(None, ge=100, le=599)
    tenant: str | None = Field(None, max_length=64)

    def to_query(self, now: datetime) -> AnalyticsQuery:
        """The question, with its defaults. Whether it makes sense is for the service to say."""
        until = self.until or now
        since = self.since or until - DEFAULT_SPAN
        return AnalyticsQuery(since, until, self.bucket, self.group_by, self.route, self.status, self.tenant)


class RequestRowShape(Wire):
    """One group of requests."""

    bucket_at: datetime | None
    key: dict[str, str | int | None]
    count: int
    errors: int
    error_rate: float
    rate_per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    bytes_sent: int


class FaultCountShape(Wire):
    """How often one kind of fault was seen."""

    fault_type: str
    source: str
    target: str | None
    count: int
    first_at: datetime
    last_at: datetime


class RequestReportShape(Wire):
    """Counts, rates and times, most frequent group first."""

    since: datetime
    until: datetime
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


class ErrorReportShape(RequestReportShape):
    """Requests that failed, and every kind of fault."""

    faults: list[FaultCountShape]


def _row(row: RequestRow) -> RequestRowShape:
    names = {dimension: name for name, dimension in DIMENSIONS.items() if "_" not in name}
    values = {name: getattr(row, name) for name in RequestRowShape.model_fields if name != "key"}
    return RequestRowShape(key={names[dimension]: value for dimension, value in row.key.items()}, **values)
