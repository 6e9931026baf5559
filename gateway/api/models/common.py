"""The shapes every resource shares: the envelope, the page, and the problem (RFC 9457)."""

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

T = TypeVar("T")
MAX_PAGE = 100_000
MAX_PAGE_SIZE = 100


class Wire(BaseModel):
    """Base of the answers: snake_case here, camelCase on the wire; built from our own values by attribute."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, from_attributes=True, frozen=True)


class Body(BaseModel):
    """Base of the request bodies: strict types, unknown fields refused."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=False, validate_by_alias=True, extra="forbid", strict=True)


class Query(BaseModel):
    """Base of the query parameters: text is converted; parameters that are not ours are left alone."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=False, validate_by_alias=True, extra="ignore")


class Success(Wire, Generic[T]):
    """The envelope of every answer that worked."""

    success: Literal[True] = True
    data: T


class Fresh(Success[T], Generic[T]):
    """An answer that may come from a copy."""

    stale: bool = Field(description="The Configuration Service cannot be asked: this is the last known good copy")
    age_seconds: float = Field(description="Since the Configuration Service gave it")


class Pagination(Wire):
    """Where a page stands in its list."""

    page: int
    limit: int
    total_count: int
    total_pages: int
    has_next: bool
    has_prev: bool

    @classmethod
    def of(cls, *, page: int, limit: int, total: int) -> Self:
        """Everything a client needs to turn pages."""
        return cls.at(offset=(page - 1) * limit, limit=limit, total=total)

    @classmethod
    def at(cls, *, offset: int, limit: int, total: int) -> Self:
        """The same from the number of entries before this page, which need not fill whole pages."""
        return cls(
            page=offset // limit + 1,
            limit=limit,
            total_count=total,
            total_pages=-(-total // limit),
            has_next=offset + limit < total,
            has_prev=offset > 0,
        )


class Page(Success[list[T]], Generic[T]):
    """The envelope of a list."""

    pagination: Pagination


class PageQuery(Query):
    """Which page of a list."""

    page: int = Field(1, ge=1, le=MAX_PAGE, description="Number of the page; the first is 1")
    limit: int = Field(20, ge=1, le=MAX_PAGE_SIZE, description="Entries on a page")

    @property
    def offset(self) -> int:
        """Entries before this page."""
        return (self.page - 1) * self.limit


class FieldProblem(Wire):
    """One thing wrong with the input."""

    pointer: str = Field(description="RFC 6901 JSON pointer into the body, or `?name` for a query parameter")
    detail: str


class ProblemError(Wire):
    """The classified fault behind a problem."""

    type: str
    message: str
    severity: Literal["low", "medium", "high", "critical"]
    category: str
    retryable: bool
    fingerprint: str = Field(description="The same for the same cause, whatever ids, hosts and values it carries")
    errors: list[FieldProblem]


class ProblemRecovery(Wire):
    """What is done about it, and what a client can do."""

    action: str
    strategy: Literal["immediate", "delayed", "none"]
    retry_after: int | None = Field(description="Milliseconds to wait before trying again; null when waiting does not help")
    guidance: str
    recovery_id: str | None = Field(None, description="Read it at /api/v1/recoveries/{recoveryId}; null when nothing is left to a worker")


class Problem(Wire):
    """Every answer that did not work: RFC 9457 problem details and the platform's envelope in one object."""

    type: str = Field(description="Path of a page that explains this kind of problem")
    title: str
    status: int
    detail: str
    instance: str
    success: Literal[False] = False
    message: str
    code: str
    error: ProblemError
    recovery: ProblemRecovery
    request_id: str | None
    timestamp: datetime


JsonObject = dict[str, Any]
Milliseconds = Annotated[float, AfterValidator(lambda value: round(value, 3))]
