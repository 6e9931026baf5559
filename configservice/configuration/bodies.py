"""What clients may send to the configuration routes."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from configservice.configuration.model import GLOBAL, Content, Layer, fits, type_of
from configservice.reading import INK, LINE, Body, InvalidRequest, Line, Query, Text, checked, json_object
from gateway.shapes.flaws import IN_WORDS

MAX_WAIT_SECONDS = 30.0
MAX_BIGINT = 2**63 - 1
MAX_LAYER_KEYS = 5_000  # written in one transaction, which all other writers wait for

Key = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=255,
        pattern=rf"^{INK}({LINE}*{INK})?\Z",
        extra={IN_WORDS: "must be printable, and not begin or end with a space"},
    ),
]
Scope = Annotated[Line, Meta(min_length=1, max_length=100)]
Version = Annotated[int, Meta(ge=1, le=2**31 - 1)]


class LayerQuery(Query, frozen=True):
    """`environment`, `tenantId`, `userId`: who asks, or which layer is meant."""

    environment: Scope | None = None
    tenant_id: Scope | None = None
    user_id: Scope | None = None

    @property
    def layer(self) -> Layer:
        """The layer of exactly these."""
        return Layer(self.environment or GLOBAL, self.tenant_id or "", self.user_id or "")


class ValueQuery(LayerQuery, frozen=True, kw_only=True):
    """Which value is asked for."""

    key: Key


class HistoryQuery(LayerQuery, frozen=True):
    """Which page of an entry's versions."""

    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    limit: Annotated[int, Meta(ge=1, le=500)] = 50


class WatchQuery(Query, frozen=True):
    """From which revision on (absent: from now on), and how many seconds to wait for a change; more than 30 count as 30."""

    since: Annotated[int, Meta(ge=0, le=MAX_BIGINT)] | None = None
    wait: Annotated[float, Meta(ge=0, le=1e9)] = 0.0

    @property
    def wait_seconds(self) -> float:
        """How long to wait."""
        return min(self.wait, MAX_WAIT_SECONDS)


class WriteValue(Body, frozen=True):
    """A value to write into one layer. `type` absent is read off the value."""

    key: Key
    value: Any
    type: Literal["string", "number", "boolean", "json"] | None = None
    environment: Scope | None = None
    tenant_id: Scope | None = None
    user_id: Scope | None = None
    description: Annotated[Text, Meta(max_length=1000)] | None = None
    tags: Annotated[list[Scope], Meta(max_length=100)] | None = None
    is_secret: bool | None = None

    def __post_init__(self) -> None:
        if self.type and not fits(self.value, self.type):
            message = f"value must be of type {self.type}, it is a {type_of(self.value)}"
            raise InvalidRequest.of(message, "value", kind=f"{self.type}.base")

    @property
    def layer(self) -> Layer:
        """The layer it goes to."""
        return Layer(self.environment or GLOBAL, self.tenant_id or "", self.user_id or "")

    @property
    def content(self) -> Content:
        """What goes there."""
        tags = None if self.tags is None else tuple(self.tags)
        return Content(self.value, self.type or type_of(self.value), self.description, tags, self.is_secret)


class Rollback(Body, frozen=True):
    """Which version to restore; the layer stands here or in the query."""

    version: Version
    environment: Scope | None = None
    tenant_id: Scope | None = None
    user_id: Scope | None = None

    def layer_beside(self, query: LayerQuery) -> Layer:
        """The layer of the body, else of the query."""
        return Layer(
            self.environment or query.environment or GLOBAL,
            self.tenant_id or query.tenant_id or "",
            self.user_id or query.user_id or "",
        )


class PathKey(Query, frozen=True):
    """A key that stands in the path."""

    key: Key


class PathTenant(Query, frozen=True):
    """A tenant that stands in the path, and the environment of its layer."""

    tenant_id: Scope
    environment: Scope | None = None

    @property
    def layer(self) -> Layer:
        """The tenant's layer."""
        return Layer(self.environment or GLOBAL, self.tenant_id)


def read_tenant_layer() -> dict[str, Content]:
    """The body as a whole layer: key to value, the types read off the values.

    Raises:
        InvalidRequest: it is no object, holds too many keys, or one of them is none.
    """
    values = json_object()
    if len(values) > MAX_LAYER_KEYS:
        raise InvalidRequest.of(f"A layer may hold {MAX_LAYER_KEYS} keys at the most", kind="object.max")
    for key in values:
        checked(PathKey, {"key": key})
    return {key: Content(value, type_of(value)) for key, value in values.items()}
