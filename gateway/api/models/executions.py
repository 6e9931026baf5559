"""Executions on the wire."""

from datetime import datetime
from typing import Any

from pydantic import Field

from gateway.api.models.common import MAX_PAGE, MAX_PAGE_SIZE, Body, JsonObject, PageQuery, Wire
from gateway.errors import FieldError, InvalidInput
from gateway.executions.acting import MAX_REASON
from gateway.executions.model import ExecutionAction, ExecutionStatus

MAX_TRIGGERED_BY_LENGTH = 255


class ExecuteBody(Body):
    """What a flow is started with."""

    parameters: JsonObject = Field(default_factory=dict)
    triggered_by: str = Field("api", min_length=1, max_length=MAX_TRIGGERED_BY_LENGTH)
    execution_context: JsonObject = Field(default_factory=dict)


class ActionBody(Body):
    """Why somebody acts on an execution."""

    reason: str | None = Field(None, min_length=1, max_length=MAX_REASON, description="Kept and shown in `actions`; printable characters")


class HistoryQuery(PageQuery):
    """Which executions."""

    status: ExecutionStatus | None = None
    skipped: int | None = Field(
        None, alias="offset", ge=0, le=MAX_PAGE * MAX_PAGE_SIZE, description="Entries before this page, instead of its number"
    )

    @property
    def first(self) -> int:
        """Entries before this page, however they were given.

        Raises:
            InvalidInput: they were given twice.
        """
        if self.skipped is None:
            return self.offset
        if "page" in self.model_fields_set:
            problem = FieldError("?offset", "cannot stand beside page")
            raise InvalidInput("The query is not valid: ?offset cannot stand beside page", [problem])
        return self.skipped


class ExecutionSummaryShape(Wire):
    """One run without its nodes."""

    execution_id: str = Field(validation_alias="id", serialization_alias="executionId")
    flow_id: str
    flow_version: str
    status: ExecutionStatus
    parameters: JsonObject
    triggered_by: str
    execution_context: JsonObject
    started_at: datetime
    completed_at: datetime | None
    duration_ms: int | None
    error: JsonObject | None
    warnings: list[str]


class NodeShape(Wire):
    """One node of a run."""

    id: str
    name: str
    type: str
    status: str
    attempts: int
    started_at: datetime | None
    completed_at: datetime | None
    duration_ms: int | None
    output: Any
    error: JsonObject | None


class ActionShape(Wire):
    """What a client did to a run."""

    action: ExecutionAction
    caller: str = Field(description="Name of the client's token; `anonymous` where the gateway is open")
    reason: str | None
    at: datetime = Field(validation_alias="taken_at")
    from_status: ExecutionStatus
    to_status: ExecutionStatus
    request_id: str | None


class ExecutionShape(ExecutionSummaryShape):
    """One run with its nodes, in the order of the definition, and what was done to it, oldest first."""

    result: Any
    nodes: list[NodeShape]
    actions: list[ActionShape]
