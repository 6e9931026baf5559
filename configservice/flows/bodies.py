"""What clients may send to the registry, besides a definition itself (`gateway.flows.parse_flow` reads that)."""

from typing import Annotated, Any, Literal, Self

from flask import request
from pydantic import BeforeValidator, Field, StringConstraints

from configservice.flows.model import ExecutionStatus
from configservice.reading import Body, Line, Name, Query, Text, checked, json_object, query_values
from gateway.flows.model import FlowId, FlowStatus, FlowType

# Reachable only if no flow has these ids: GET /flows/health and GET /flows/types are routes of their own.
RESERVED_IDS = frozenset({"health", "types"})
SORT_COLUMNS = {
    "createdat": "created_at",
    "updatedat": "updated_at",
    "name": "name",
    "type": "type",
    "status": "status",
    "version": "version",
}

Page = Annotated[int, Field(ge=1, le=1_000_000)]
Limit = Annotated[int, Field(ge=1, le=500)]
Offset = Annotated[int, Field(ge=0, le=2**31 - 1)]


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _fold(value: object) -> object:
    return value.replace("_", "").lower() if isinstance(value, str) else value


SortOrder = Annotated[Literal["asc", "desc"], BeforeValidator(_lower)]


class ListFlows(Query):
    """Filters (each narrows; a flow must have all `tags`), page and order of a list of flows."""

    type: FlowType | None = None
    status: FlowStatus | None = None
    created_by: Name | None = None
    tags: Annotated[list[Line], Field(max_length=50)] = Field(default_factory=list)
    page: Page = 1
    limit: Limit = 20
    sort_by: Annotated[Literal["createdat", "updatedat", "name", "type", "status", "version"], BeforeValidator(_fold)] = "createdat"
    sort_order: SortOrder = "desc"
    include_archived: bool = False

    @classmethod
    def read(cls) -> Self:
        """Tags come separated by commas, repeated, or as `tags[]`, as HTTP clients write lists."""
        words = ",".join([*request.args.getlist("tags"), *request.args.getlist("tags[]")]).split(",")
        tags = [word.strip() for word in words if word.strip()]
        return checked(cls, {**query_values(), "tags": tags})

    @property
    def statuses(self) -> tuple[FlowStatus, ...] | None:
        """The statuses asked for; without a word about it only `active`, with `includeArchived` all of them (None)."""
        if self.status:
            return (self.status,)
        return None if self.include_archived else (FlowStatus.ACTIVE,)

    @property
    def sort_column(self) -> str:
        """The column to sort by."""
        return SORT_COLUMNS[self.sort_by]


class ListExecutions(Query):
    """Filter, window and order of a flow's executions."""

    status: ExecutionStatus | None = None
    limit: Limit = 50
    offset: Offset = 0
    sort_order: SortOrder = "desc"


class DependencyQuery(Query):
    """Whether the dependencies of dependencies are wanted too."""

    recursive: bool = False


class ExecuteFlow(Body):
    """An execution to record."""

    parameters: dict[str, Any] | None = None
    environment: dict[str, Any] | Name | None = None
    triggered_by: Name | None = None
    execution_context: dict[str, Any] | None = None


class ExecuteHeaders(Query):
    """The header with which recording may be repeated: the same record answers the same key."""

    idempotency_key: Name | None = Field(None, alias="Idempotency-Key")

    @classmethod
    def read(cls) -> Self:
        """Of the current request."""
        return checked(cls, dict(request.headers))


class ReportStatus(Body):
    """How an execution goes on."""

    status: Annotated[ExecutionStatus, Field(strict=False)]
    result: Any = None
    error_message: Annotated[Text, StringConstraints(max_length=100_000)] | None = None

    @property
    def has_result(self) -> bool:
        """A result of null counts: it was written."""
        return "result" in self.model_fields_set


class AddDependency(Body):
    """A flow that another one depends on. `timeout` in milliseconds."""

    depends_on_flow_id: FlowId
    dependency_type: Literal["prerequisite", "parallel", "conditional"] = "prerequisite"
    condition: Annotated[Text, StringConstraints(min_length=1, max_length=4096)] | None = None
    timeout: Annotated[int, Field(ge=0, le=86_400_000)] | None = None

    def to_document(self) -> dict[str, Any]:
        """As it stands in a definition's `dependencies`."""
        whole = {"flowId": self.depends_on_flow_id, "type": self.dependency_type, "condition": self.condition, "timeout": self.timeout}
        return {name: value for name, value in whole.items() if value is not None}


def read_replacement() -> dict[str, Any]:
    """The body of a PUT. A client may send back what it read: the two moments are ignored and null counts as absent."""
    body = json_object()
    return {name: value for name, value in body.items() if value is not None and name not in ("createdAt", "updatedAt")}
