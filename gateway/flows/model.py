"""The values of the flow definition language. Shapes only: what refers to what is checked in `rules.py`.

Source: contracts/configuration-service.md, "A flow definition".
"""

from enum import StrEnum
from random import Random
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StringConstraints
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

MAX_NODES = 500
MAX_EDGES = 2_000
MAX_ITEMS = 200  # of every other list of a definition


class FlowType(StrEnum):
    """The platform's four types; it refuses any other."""

    LANGGRAPH_WORKFLOW = "langgraph_workflow"
    AI_BRAIN_VALIDATION = "ai_brain_validation"
    CHAIN_MAPPING = "chain_mapping"
    CUSTOM = "custom"


class FlowStatus(StrEnum):
    """Where a definition stands in its life. `draft` and `active` run, `deprecated` runs with a warning, `archived` does not."""

    DRAFT = "draft"
    ACTIVE = "active"
    DEPRECATED = "deprecated"
    ARCHIVED = "archived"


def _refuse_null(value: object) -> object:
    if value is None:
        raise PydanticCustomError("null_refused", "must be absent rather than null")
    return value


Item = TypeVar("Item")
Maybe = Annotated[Item | None, BeforeValidator(_refuse_null)]  # absent is None; null is refused (the platform's service refuses it too)
Text = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=100)]
FlowId = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]+$", max_length=50)]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$", max_length=50)]
JsonObject = dict[str, Any]
Milliseconds = Annotated[StrictInt, Field(ge=0, le=86_400_000)]


class Value(BaseModel):
    """Base of the values: frozen, snake_case here and camelCase on the wire, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=False, validate_by_alias=True)


class Position(Value):
    """Where an editor draws the node; the gateway does not read it."""

    x: StrictFloat
    y: StrictFloat


class Node(Value):
    """A step of a flow. `service` and `transform` are our own kinds, any other type is a capability of a registered service."""

    id: Word
    name: Text
    type: Word
    config: JsonObject = Field(default_factory=dict)
    position: Maybe[Position] = None


class Edge(Value):
    """From one node to the next, taken when `condition` (CEL, or a bare word) holds or is absent."""

    id: Word
    source: Word
    target: Word
    condition: Maybe[str] = None
    config: JsonObject = Field(default_factory=dict)


class Dependency(Value):
    """Another flow that this one depends on. `timeout` in milliseconds."""

    flow_id: FlowId
    type: Literal["prerequisite", "parallel", "conditional"]
    condition: Maybe[str] = None
    timeout: Maybe[Milliseconds] = None


class Parameter(Value):
    """One declared input of a flow. `default` may be any JSON value that fits `type`; whether it was given stands in `has_default`."""

    name: Word
    type: Literal["string", "number", "boolean", "object", "array"]
    required: StrictBool = False
    default: Any = None
    description: Maybe[Annotated[str, StringConstraints(max_length=1000)]] = None
    validation: Maybe[JsonObject] = None

    @property
    def has_default(self) -> bool:
        """A default of null counts: it was written."""
        return "default" in self.model_fields_set


class Credential(Value):
    """The name of a secret that the flow needs; never the secret."""

    key: Word
    type: Literal["api_key", "token", "secret", "oauth"]
    required: StrictBool = True
    scope: Maybe[Text] = None


class Trigger(Value):
    """What starts the flow."""

    type: Literal["manual", "schedule", "event", "webhook"]
    config: JsonObject = Field(default_factory=dict)
    enabled: StrictBool = True


class RetryPolicy(Value):
    """How often and how far apart a failed node is tried again."""

    max_attempts: Annotated[StrictInt, Field(ge=1, le=10)] = 3
    backoff_strategy: Literal["linear", "exponential", "fixed"] = "exponential"
    base_delay: Annotated[StrictInt, Field(ge=1000, le=86_400_000)] = 1000
    max_delay: Annotated[StrictInt, Field(ge=0, le=86_400_000)] = 30_000

    def delay_ms(self, attempt: int, random: Random | None = None) -> int:
        """Milliseconds to wait after failed attempt number `attempt` (1 is the first), never above `max_delay`.

        Without `random` the whole delay; with it full jitter: uniform between 0 and the delay
        (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
        """
        factor = {"fixed": 1, "linear": attempt, "exponential": 2 ** min(attempt - 1, 20)}[self.backoff_strategy]
        ceiling = min(self.base_delay * factor, self.max_delay)
        return random.randint(0, ceiling) if random else ceiling


class FlowDefinition(Value):
    """A versioned definition of a flow. `schedule` is a cron line of five fields."""

    id: FlowId
    name: Text
    type: FlowType
    version: Version
    created_by: Text
    nodes: Annotated[tuple[Node, ...], Field(min_length=1, max_length=MAX_NODES)]
    edges: Annotated[tuple[Edge, ...], Field(max_length=MAX_EDGES)] = ()
    description: Maybe[Annotated[str, StringConstraints(max_length=1000)]] = None
    status: Maybe[FlowStatus] = None
    dependencies: Annotated[tuple[Dependency, ...], Field(max_length=MAX_ITEMS)] = ()
    parameters: Annotated[tuple[Parameter, ...], Field(max_length=MAX_ITEMS)] = ()
    credentials: Annotated[tuple[Credential, ...], Field(max_length=MAX_ITEMS)] = ()
    environment: JsonObject = Field(default_factory=dict)
    triggers: Annotated[tuple[Trigger, ...], Field(max_length=MAX_ITEMS)] = ()
    schedule: Maybe[Text] = None
    retry_policy: RetryPolicy = Field(default_factory=RetryPolicy)
    tags: Annotated[tuple[Word, ...], Field(max_length=MAX_ITEMS)] = ()
    metadata: JsonObject = Field(default_factory=dict)

    @property
    def says_how_often(self) -> bool:
        """Whether its author chose how often a node is tried; then each attempt is one call."""
        return "max_attempts" in self.retry_policy.model_fields_set
