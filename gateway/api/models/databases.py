"""The six databases on the wire."""

from typing import Annotated, Any

from msgspec import Meta, field

from gateway.api.models.common import Body, JsonObject, Moment, Wire
from gateway.databases import limits
from gateway.databases.model import DatabaseStatus

Timeout = Annotated[int, Meta(ge=limits.MIN_TIMEOUT_MS, le=limits.MAX_TIMEOUT_MS)]


class PoolShape(Wire, frozen=True):
    """The connections of this process."""

    in_use: int
    idle: int
    limit: int
    waits: int


class StatusErrorShape(Wire, frozen=True):
    """Why the last ping failed, in our words."""

    kind: str
    code: str
    detail: str


class DatabaseShape(Wire, frozen=True):
    """One database as the background poller last saw it."""

    status: Annotated[str, Meta(description="healthy, degraded, unhealthy or disabled")]
    engine: str
    role: str
    latency_ms: float | None
    last_ok_at: Moment | None
    error: StatusErrorShape | None
    served_by: Annotated[str | None, Meta(description="Who serves its role now: itself, another database, or a fallback of this process")]
    breaker: str
    pool: PoolShape | None
    version: str | None
    timestamp: Moment


class DatabasesShape(Wire, frozen=True):
    """All six."""

    connections: Annotated[dict[str, bool], Meta(description="Whether each one can be used now")]
    health: dict[str, DatabaseShape]


class QueryBody(Body, frozen=True):
    """One read, in the engine's own language."""

    statement: Annotated[str, Meta(min_length=1, max_length=limits.MAX_STATEMENT_BYTES)]
    parameters: Annotated[JsonObject, Meta(description="Bound by the driver, never pasted into the statement")] = field(
        default_factory=dict
    )
    timeout_ms: Annotated[Timeout | None, Meta(description="Of all of it; by default the database's own limit")] = None
    max_rows: Annotated[int, Meta(ge=1, le=limits.MAX_ROWS)] = limits.DEFAULT_ROWS


class ResultShape(Wire, frozen=True):
    """What a read answered."""

    columns: list[str]
    rows: list[list[Any]]
    row_count: int
    truncated: bool
    elapsed_ms: float
    served_by: str


def describe_databases(statuses: dict[str, DatabaseStatus]) -> DatabasesShape:
    """From the poller's snapshot to the wire."""
    return DatabasesShape(
        connections={name: status.status.usable for name, status in statuses.items()},
        health={name: DatabaseShape.made_from(status) for name, status in statuses.items()},
    )
