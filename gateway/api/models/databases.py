"""The six databases on the wire."""

from datetime import datetime
from typing import Any

from pydantic import Field

from gateway.api.models.common import Body, JsonObject, Milliseconds, Wire
from gateway.databases import limits
from gateway.databases.model import DatabaseStatus


class PoolShape(Wire):
    """The connections of this process."""

    in_use: int
    idle: int
    limit: int
    waits: int


class StatusErrorShape(Wire):
    """Why the last ping failed, in our words."""

    kind: str
    code: str
    detail: str


class DatabaseShape(Wire):
    """One database as the background poller last saw it."""

    status: str = Field(description="healthy, degraded, unhealthy or disabled")
    engine: str
    role: str
    latency_ms: Milliseconds | None
    last_ok_at: datetime | None
    error: StatusErrorShape | None
    served_by: str | None = Field(description="Who serves its role now: itself, another database, or a fallback of this process")
    breaker: str
    pool: PoolShape | None
    version: str | None
    timestamp: datetime


class DatabasesShape(Wire):
    """All six."""

    connections: dict[str, bool] = Field(description="Whether each one can be used now")
    health: dict[str, DatabaseShape]


class QueryBody(Body):
    """One read, in the engine's own language."""

    statement: str = Field(min_length=1, max_length=limits.MAX_STATEMENT_BYTES)
    parameters: JsonObject = Field(default_factory=dict, description="Bound by the driver, never pasted into the statement")
    timeout_ms: int | None = Field(
        None, ge=limits.MIN_TIMEOUT_MS, le=limits.MAX_TIMEOUT_MS, description="Of all of it; by default the database's own limit"
    )
    max_rows: int = Field(limits.DEFAULT_ROWS, ge=1, le=limits.MAX_ROWS)


class ResultShape(Wire):
    """What a read answered."""

    columns: list[str]
    rows: list[list[Any]]
    row_count: int
    truncated: bool
    elapsed_ms: Milliseconds
    served_by: str


def describe_databases(statuses: dict[str, DatabaseStatus]) -> DatabasesShape:
    """From the poller's snapshot to the wire."""
    return DatabasesShape(
        connections={name: status.status.usable for name, status in statuses.items()},
        health={name: DatabaseShape.model_validate(status) for name, status in statuses.items()},
    )
