"""Flows on the wire."""

from typing import Annotated, Literal, Self, TypedDict

from msgspec import Meta

from gateway.api.models.common import Fresh, JsonObject, PageQuery, Pagination, Wire
from gateway.configuration.model import CopyState
from gateway.flows.model import FlowStatus, FlowType
from gateway.flows.validation import Validation

Tags = Annotated[str, Meta(max_length=1000)]


class FlowsQuery(PageQuery, frozen=True):
    """Which flows. Without `status` all that runs: active, draft and deprecated ones."""

    type: FlowType | None = None
    status: FlowStatus | None = None
    tag: Annotated[str, Meta(max_length=100)] | None = None
    tags: Annotated[Tags | None, Meta(description="Separated by commas")] = None
    created_by: Annotated[str, Meta(max_length=255)] | None = None
    sort_by: Literal["name", "createdAt", "updatedAt", "version"] | None = None
    sort_order: Literal["asc", "desc"] | None = None
    include_archived: bool = False

    def all_tags(self) -> tuple[str, ...]:
        """Of `tag` and `tags` together."""
        return tuple(tag.strip() for tag in f"{self.tag or ''},{self.tags or ''}".split(",") if tag.strip())


class FlowPageShape(Fresh[list[JsonObject]], frozen=True):
    """A page of flow definitions."""

    pagination: Pagination


class FlowShape(Fresh[JsonObject], frozen=True):
    """One definition. `state`: known to the registry, or pending (its upload waits), conflicted or refused; `problem` says why."""

    state: CopyState
    problem: str | None


class RegisteredShape(TypedDict):
    """A flow that was accepted while the registry was down: it runs already, and its upload waits. Further members are the definition's."""

    id: str
    pending: Literal[True]
    status: Literal["pending"]


class IssueShape(Wire, frozen=True):
    """One thing that would stop the flow, or looks wrong."""

    pointer: str
    detail: str


class ValidationShape(Wire, frozen=True):
    """What would stop it running."""

    flow_id: str
    is_valid: bool
    errors: list[IssueShape]
    warnings: list[IssueShape]
    details: dict[str, list[JsonObject]]

    @classmethod
    def of(cls, flow_id: str, validation: Validation) -> Self:
        """From the check to the wire."""
        return cls(
            flow_id=flow_id,
            is_valid=validation.is_valid,
            errors=[IssueShape.made_from(issue) for issue in validation.errors],
            warnings=[IssueShape.made_from(issue) for issue in validation.warnings],
            details=validation.details(),
        )
