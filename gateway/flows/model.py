"""The values of the flow definition language. Shapes only: what refers to what is checked in `rules.py`.

Source: contracts/configuration-service.md, "A flow definition".
"""

from enum import StrEnum
from random import Random
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, field

from gateway.shapes.reading import Maybe

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


Text = Annotated[str, Meta(min_length=1, max_length=255)]
Word = Annotated[str, Meta(min_length=1, max_length=100)]
Description = Annotated[str, Meta(max_length=1000)]
FlowId = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_-]+\Z", max_length=50)]
Version = Annotated[str, Meta(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+\Z", max_length=50)]
JsonObject = dict[str, Any]
Milliseconds = Annotated[int, Meta(ge=0, le=86_400_000)]


class Value(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Base of the values: frozen, snake_case here and camelCase on the wire, unknown fields refused."""


class Position(Value, frozen=True):
    """Where an editor draws the node; the gateway does not read it."""

    x: float
    y: float


class Node(Value, frozen=True):
    """A step of a flow. `service` and `transform` are our own kinds, any other type is a capability of a registered service."""

    id: Word
    name: Text
    type: Word
    config: JsonObject = field(default_factory=dict)
    position: Maybe[Position] = UNSET


class Edge(Value, frozen=True):
    """From one node to the next, taken when `condition` (CEL, or a bare word) holds or is absent."""

    id: Word
    source: Word
    target: Word
    condition: Maybe[str] = UNSET
    config: JsonObject = field(default_factory=dict)


class Dependency(Value, frozen=True):
    """Another flow that this one depends on. `timeout` in milliseconds."""

    flow_id: FlowId
    type: Literal["prerequisite", "parallel", "conditional"]
    condition: Maybe[str] = UNSET
    timeout: Maybe[Milliseconds] = UNSET


class Parameter(Value, frozen=True):
    """One declared input of a flow. `default` may be any JSON value that fits `type`; whether it was given stands in `has_default`."""

    name: Word
    type: Literal["string", "number", "boolean", "object", "array"]
    required: bool = False
    default: Any = UNSET
    description: Maybe[Description] = UNSET
    validation: Maybe[JsonObject] = UNSET

    @property
    def has_default(self) -> bool:
        """A default of null counts: it was written."""
        return self.default is not UNSET


class Credential(Value, frozen=True):
    """The name of a secret that the flow needs; never the secret."""

    key: Word
    type: Literal["api_key", "token", "secret", "oauth"]
    required: bool = True
    scope: Maybe[Text] = UNSET


class Trigger(Value, frozen=True):
    """What starts the flow."""

    type: Literal["manual", "schedule", "event", "webhook"]
    config: JsonObject = field(default_factory=dict)
    enabled: bool = True


class RetryPolicy(Value, frozen=True):
    """How often and how far apart a failed node is tried again."""

    max_attempts: Annotated[int, Meta(ge=1, le=10)] = 3
    backoff_strategy: Literal["linear", "exponential", "fixed"] = "exponential"
    base_delay: Annotated[int, Meta(ge=1000, le=86_400_000)] = 1000
    max_delay: Milliseconds = 30_000

    def delay_ms(self, attempt: int, random: Random | None = None) -> int:
        """Milliseconds to wait after failed attempt number `attempt` (1 is the first), never above `max_delay`.

        Without `random` the whole delay; with it full jitter: uniform between 0 and the delay
        (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
        """
        factor = {"fixed": 1, "linear": attempt, "exponential": 2 ** min(attempt - 1, 20)}[self.backoff_strategy]
        ceiling = min(self.base_delay * factor, self.max_delay)
        return random.randint(0, ceiling) if random else ceiling


class FlowDocument(Value, frozen=True):
    """A versioned definition of a flow, as it is written. `schedule` is a cron line of five fields."""

    id: FlowId
    name: Text
    type: FlowType
    version: Version
    created_by: Text
    nodes: Annotated[tuple[Node, ...], Meta(min_length=1, max_length=MAX_NODES)]
    edges: Annotated[tuple[Edge, ...], Meta(max_length=MAX_EDGES)] = ()
    description: Maybe[Description] = UNSET
    status: Maybe[FlowStatus] = UNSET
    dependencies: Annotated[tuple[Dependency, ...], Meta(max_length=MAX_ITEMS)] = ()
    parameters: Annotated[tuple[Parameter, ...], Meta(max_length=MAX_ITEMS)] = ()
    credentials: Annotated[tuple[Credential, ...], Meta(max_length=MAX_ITEMS)] = ()
    environment: JsonObject = field(default_factory=dict)
    triggers: Annotated[tuple[Trigger, ...], Meta(max_length=MAX_ITEMS)] = ()
    schedule: Maybe[Text] = UNSET
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)
    tags: Annotated[tuple[Word, ...], Meta(max_length=MAX_ITEMS)] = ()
    metadata: JsonObject = field(default_factory=dict)


class FlowDefinition(FlowDocument, frozen=True, kw_only=True):
    """A definition that was read."""

    document: JsonObject  # its wire form: only what was given, no nulls but those inside config, default and the like

    @property
    def says_how_often(self) -> bool:
        """Whether its author chose how often a node is tried; then each attempt is one call."""
        return "maxAttempts" in self.document.get("retryPolicy", {})
