"""The shapes every resource shares: the envelope, the page, and the problem (RFC 9457)."""

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

import msgspec
from msgspec import Meta, Struct

T = TypeVar("T")
MAX_PAGE = 100_000
MAX_PAGE_SIZE = 100

JsonObject = dict[str, Any]
Moment = Annotated[datetime, Meta(extra_json_schema={"format": "date-time"})]


class Wire(Struct, frozen=True, rename="camel"):
    """Base of the answers: snake_case here, camelCase on the wire."""

    @classmethod
    def made_from(cls, source: object) -> Self:
        """From a value of ours whose attributes have the names of the fields, and so on within it."""
        return msgspec.convert(source, cls, from_attributes=True)


class Body(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Base of the request bodies: unknown fields are refused."""


class Query(Struct, frozen=True, rename="camel"):
    """Base of the query parameters: text is converted; parameters that are not ours are left alone."""


class Success(Wire, Generic[T], frozen=True, kw_only=True):
    """The envelope of every answer that worked."""

    success: Literal[True] = True
    data: T


class Fresh(Success[T], Generic[T], frozen=True, kw_only=True):
    """An answer that may come from a copy."""

    stale: Annotated[bool, Meta(description="The Configuration Service cannot be asked: this is the last known good copy")]
    age_seconds: Annotated[float, Meta(description="Since the Configuration Service gave it")]


class Pagination(Wire, frozen=True):
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


class Page(Success[list[T]], Generic[T], frozen=True, kw_only=True):
    """The envelope of a list."""

    pagination: Pagination


class PageQuery(Query, frozen=True):
    """Which page of a list."""

    page: Annotated[int, Meta(ge=1, le=MAX_PAGE, description="Number of the page; the first is 1")] = 1
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE_SIZE, description="Entries on a page")] = 20

    @property
    def offset(self) -> int:
        """Entries before this page."""
        return (self.page - 1) * self.limit


class FieldProblem(Wire, frozen=True):
    """One thing wrong with the input."""

    pointer: Annotated[str, Meta(description="RFC 6901 JSON pointer into the body, or `?name` for a query parameter")]
    detail: str


class ProblemError(Wire, frozen=True):
    """The classified fault behind a problem."""

    type: str
    message: str
    severity: Literal["low", "medium", "high", "critical"]
    category: str
    retryable: bool
    fingerprint: Annotated[str, Meta(description="The same for the same cause, whatever ids, hosts and values it carries")]
    errors: list[FieldProblem]


class ProblemRecovery(Wire, frozen=True):
    """What is done about it, and what a client can do."""

    action: str
    strategy: Literal["immediate", "delayed", "none"]
    retry_after: Annotated[int | None, Meta(description="Milliseconds to wait before trying again; null when waiting does not help")]
    guidance: str
    recovery_id: Annotated[
        str | None, Meta(description="Read it at /api/v1/recoveries/{recoveryId}; null when nothing is left to a worker")
    ] = None


class Problem(Wire, frozen=True, kw_only=True):
    """Every answer that did not work: RFC 9457 problem details and the platform's envelope in one object."""

    type: Annotated[str, Meta(description="Path of a page that explains this kind of problem")]
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
    timestamp: Moment
