"""What clients may send to the configuration routes."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from configservice.configuration.model import GLOBAL, Content, Layer, fits, type_of
from configservice.reading import Body, InvalidRequest, Line, Query, Text, checked, json_object

MAX_WAIT_SECONDS = 30.0
MAX_BIGINT = 2**63 - 1
MAX_LAYER_KEYS = 5_000  # written in one transaction, which all other writers wait for

Key = Annotated[Line, StringConstraints(min_length=1, max_length=255, pattern=r"^\S(.*\S)?$")]
Scope = Annotated[Line, StringConstraints(min_length=1, max_length=100)]
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]


class LayerQuery(Query):
    """`environment`, `tenantId`, `userId`: who asks, or which layer is meant."""

    environment: Scope | None = None
    tenant_id: Scope | None = None
    user_id: Scope | None = None

    @property
    def layer(self) -> Layer:
        """The layer of exactly these."""
        return Layer(self.environment or GLOBAL, self.tenant_id or "", self.user_id or "")


class ValueQuery(LayerQuery):
    """Which value is asked for."""

    key: Key


class HistoryQuery(LayerQuery):
    """Which page of an entry's versions."""

    page: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    limit: Annotated[int, Field(ge=1, le=500)] = 50


class WatchQuery(Query):
    """From which revision on (absent: from now on), and how many seconds to wait for a change; more than 30 count as 30."""

    since: Annotated[int, Field(ge=0, le=MAX_BIGINT)] | None = None
    wait: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] = 0.0

    @field_validator("wait")
    @classmethod
    def _cap(cls, value: float) -> float:
        return min(value, MAX_WAIT_SECONDS)


class WriteValue(Body):
    """A value to write into one layer. `type` absent is read off the value."""

    key: Key
    value: Any
    type: Literal["string", "number", "boolean", "json"] | None = None
    environment: Scope | None = None
    tenant_id: Scope | None = None
    user_id: Scope | None = None
    description: Annotated[Text, StringConstraints(max_length=1000)] | None = None
    tags: Annotated[list[Scope], Field(max_length=100)] | None = None
    is_secret: bool | None = None

    @model_validator(mode="after")
    def _check_type(self) -> Self:
        if self.type and not fits(self.value, self.type):
            message = f"value must be of type {self.type}, it is a {type_of(self.value)}"
            raise InvalidRequest.of(message, "value", kind=f"{self.type}.base")
        return self

    @property
    def layer(self) -> Layer:
        """The layer it goes to."""
        return Layer(self.environment or GLOBAL, self.tenant_id or "", self.user_id or "")

    @property
    def content(self) -> Content:
        """What goes there."""
        tags = None if self.tags is None else tuple(self.tags)
        return Content(self.value, self.type or type_of(self.value), self.description, tags, self.is_secret)


class Rollback(Body):
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


class PathKey(Query):
    """A key that stands in the path."""

    key: Key


class PathTenant(Query):
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
