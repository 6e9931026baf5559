"""What clients may send to the registry, besides a definition itself (`gateway.flows.parse_flow` reads that)."""

from typing import Annotated, Any, Literal, Self

from flask import request
from msgspec import UNSET, Meta, field

from configservice.flows.model import ExecutionStatus
from configservice.reading import Body, Line, Name, Query, Text, checked_texts, json_object, query_values
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

Page = Annotated[int, Meta(ge=1, le=1_000_000)]
Limit = Annotated[int, Meta(ge=1, le=500)]
Offset = Annotated[int, Meta(ge=0, le=2**31 - 1)]


SortOrder = Literal["asc", "desc"]


class ListFlows(Query, frozen=True):
    """Filters (each narrows; a flow must have all `tags`), page and order of a list of flows."""

    type: FlowType | None = None
    status: FlowStatus | None = None
    created_by: Name | None = None
    tags: Annotated[list[Line], Meta(max_length=50)] = field(default_factory=list)
    page: Page = 1
    limit: Limit = 20
    sort_by: Literal["createdat", "updatedat", "name", "type", "status", "version"] = "createdat"
    sort_order: SortOrder = "desc"
    include_archived: bool = False

    @classmethod
    def read(cls) -> Self:
        """Tags come separated by commas, repeated, or as `tags[]`, as HTTP clients write lists."""
        words = ",".join([*request.args.getlist("tags"), *request.args.getlist("tags[]")]).split(",")
        tags = [word.strip() for word in words if word.strip()]
        return checked_texts(cls, {**_values(), "tags": tags})

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


class ListExecutions(Query, frozen=True):
    """Filter, window and order of a flow's executions."""

    status: ExecutionStatus | None = None
    limit: Limit = 50
    offset: Offset = 0
    sort_order: SortOrder = "desc"

    @classmethod
    def read(cls) -> Self:
        """The order in any case."""
        return checked_texts(cls, _values())


class DependencyQuery(Query, frozen=True):
    """Whether the dependencies of dependencies are wanted too."""

    recursive: bool = False


class ExecuteFlow(Body, frozen=True):
    """An execution to record."""

    parameters: dict[str, Any] | None = None
    environment: dict[str, Any] | Name | None = None
    triggered_by: Name | None = None
    execution_context: dict[str, Any] | None = None


class ExecuteHeaders(Query, frozen=True):
    """The header with which recording may be repeated: the same record answers the same key."""

    idempotency_key: Name | None = field(default=None, name="Idempotency-Key")

    @classmethod
    def read(cls) -> Self:
        """Of the current request."""
        return checked_texts(cls, dict(request.headers))


class ReportStatus(Body, frozen=True):
    """How an execution goes on."""

    status: ExecutionStatus
    result: Any = UNSET
    error_message: Annotated[Text, Meta(max_length=100_000)] | None = None

    @property
    def has_result(self) -> bool:
        """A result of null counts: it was written."""
        return self.result is not UNSET


class AddDependency(Body, frozen=True):
    """A flow that another one depends on. `timeout` in milliseconds."""

    depends_on_flow_id: FlowId
    dependency_type: Literal["prerequisite", "parallel", "conditional"] = "prerequisite"
    condition: Annotated[Text, Meta(min_length=1, max_length=4096)] | None = None
    timeout: Annotated[int, Meta(ge=0, le=86_400_000)] | None = None

    def to_document(self) -> dict[str, Any]:
        """As it stands in a definition's `dependencies`."""
        whole = {"flowId": self.depends_on_flow_id, "type": self.dependency_type, "condition": self.condition, "timeout": self.timeout}
        return {name: value for name, value in whole.items() if value is not None}


def read_replacement() -> dict[str, Any]:
    """The body of a PUT. A client may send back what it read: the two moments are ignored and null counts as absent."""
    body = json_object()
    return {name: value for name, value in body.items() if value is not None and name not in ("createdAt", "updatedAt")}


def _values() -> dict[str, str]:
    """The query; what to sort by is read in any case, and a column's name with or without its `_`."""
    values = query_values()
    if "sortBy" in values:
        values["sortBy"] = values["sortBy"].replace("_", "").lower()
    if "sortOrder" in values:
        values["sortOrder"] = values["sortOrder"].lower()
    return values
