"""Executions on the wire."""

from typing import Annotated, Any

from msgspec import Meta, field

from gateway.api.models.common import MAX_PAGE, MAX_PAGE_SIZE, Body, JsonObject, Moment, PageQuery, Wire
from gateway.executions.acting import MAX_REASON
from gateway.executions.model import ExecutionAction, ExecutionStatus

MAX_TRIGGERED_BY_LENGTH = 255

Reason = Annotated[str, Meta(min_length=1, max_length=MAX_REASON)]
Skipped = Annotated[int, Meta(ge=0, le=MAX_PAGE * MAX_PAGE_SIZE)]


class ExecuteBody(Body, frozen=True):
    """What a flow is started with."""

    parameters: JsonObject = field(default_factory=dict)
    triggered_by: Annotated[str, Meta(min_length=1, max_length=MAX_TRIGGERED_BY_LENGTH)] = "api"
    execution_context: JsonObject = field(default_factory=dict)


class ActionBody(Body, frozen=True):
    """Why somebody acts on an execution."""

    reason: Annotated[Reason | None, Meta(description="Kept and shown in `actions`; printable characters")] = None


class HistoryQuery(PageQuery, frozen=True):
    """Which executions."""

    status: ExecutionStatus | None = None
    skipped: Annotated[Skipped | None, Meta(description="Entries before this page, instead of its number")] = field(
        default=None, name="offset"
    )

    @property
    def first(self) -> int:
        """Entries before this page, however they were given."""
        return self.offset if self.skipped is None else self.skipped


class ExecutionSummaryShape(Wire, frozen=True):
    """One run without its nodes."""

    id: str = field(name="executionId")
    flow_id: str
    flow_version: str
    status: ExecutionStatus
    parameters: JsonObject
    triggered_by: str
    execution_context: JsonObject
    started_at: Moment
    completed_at: Moment | None
    duration_ms: int | None
    error: JsonObject | None
    warnings: list[str]


class NodeShape(Wire, frozen=True):
    """One node of a run."""

    id: str
    name: str
    type: str
    status: str
    attempts: int
    started_at: Moment | None
    completed_at: Moment | None
    duration_ms: int | None
    output: Any
    error: JsonObject | None


class ActionShape(Wire, frozen=True):
    """What a client did to a run."""

    action: ExecutionAction
    caller: Annotated[str, Meta(description="Name of the client's token; `anonymous` where the gateway is open")]
    reason: str | None
    taken_at: Moment = field(name="at")
    from_status: ExecutionStatus
    to_status: ExecutionStatus
    request_id: str | None


class ExecutionShape(ExecutionSummaryShape, frozen=True):
    """One run with its nodes, in the order of the definition, and what was done to it, oldest first."""

    result: Any
    nodes: list[NodeShape]
    actions: list[ActionShape]
