"""What broke and what is done about it: frozen values, no I/O. Names and severities: the HTTP contract's error types."""

from dataclasses import dataclass, field
from enum import StrEnum

from gateway.errors import FieldError

RECOVERY = "recovery"  # who triggers the executions of recovery flows


class Severity(StrEnum):
    """How much it hurts."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Category(StrEnum):
    """Which part of the platform it hurts."""

    INFRASTRUCTURE = "infrastructure"
    SECURITY = "security"
    THROTTLING = "throttling"
    SERVICE_MESH = "service_mesh"
    VALIDATION = "validation"
    UNKNOWN = "unknown"
    CONFLICT = "conflict"
    RESOURCE = "resource"
    UPSTREAM = "upstream"
    FLOW = "flow"


class FaultType(StrEnum):
    """What kind of fault it is; the value goes over the wire. The first six are the platform's and keep their names."""

    DATABASE_CONNECTION = "DATABASE_CONNECTION_ERROR"
    AUTHENTICATION = "AUTHENTICATION_ERROR"
    RATE_LIMIT = "RATE_LIMIT_ERROR"
    SERVICE_DISCOVERY = "SERVICE_DISCOVERY_ERROR"
    VALIDATION = "VALIDATION_ERROR"
    UNKNOWN = "UNKNOWN_ERROR"
    AUTHORIZATION = "AUTHORIZATION_ERROR"
    CONFLICT = "CONFLICT_ERROR"
    NOT_FOUND = "NOT_FOUND_ERROR"
    TIMEOUT = "TIMEOUT_ERROR"
    UPSTREAM = "UPSTREAM_ERROR"
    FLOW = "FLOW_ERROR"

    @property
    def severity(self) -> Severity:
        """How much a fault of this type hurts."""
        return TRAITS[self][0]

    @property
    def category(self) -> Category:
        """The part of the platform it belongs to."""
        return TRAITS[self][1]


TRAITS: dict[FaultType, tuple[Severity, Category]] = {
    FaultType.DATABASE_CONNECTION: (Severity.HIGH, Category.INFRASTRUCTURE),
    FaultType.AUTHENTICATION: (Severity.MEDIUM, Category.SECURITY),
    FaultType.RATE_LIMIT: (Severity.LOW, Category.THROTTLING),
    FaultType.SERVICE_DISCOVERY: (Severity.HIGH, Category.SERVICE_MESH),
    FaultType.VALIDATION: (Severity.LOW, Category.VALIDATION),
    FaultType.UNKNOWN: (Severity.MEDIUM, Category.UNKNOWN),
    FaultType.AUTHORIZATION: (Severity.MEDIUM, Category.SECURITY),
    FaultType.CONFLICT: (Severity.LOW, Category.CONFLICT),
    FaultType.NOT_FOUND: (Severity.LOW, Category.RESOURCE),
    FaultType.TIMEOUT: (Severity.MEDIUM, Category.INFRASTRUCTURE),
    FaultType.UPSTREAM: (Severity.HIGH, Category.UPSTREAM),
    FaultType.FLOW: (Severity.MEDIUM, Category.FLOW),
}


class Action(StrEnum):
    """One thing that may be done about a fault."""

    RETRY = "retry"
    FALLBACK = "fallback"
    SERVE_STALE = "serve_stale"
    REAUTHENTICATE = "reauthenticate"
    REDISCOVER_SERVICE = "rediscover_service"
    RECONNECT_DATABASE = "reconnect_database"
    FAILOVER_INSTANCE = "failover_instance"
    REFRESH_DISCOVERY = "refresh_discovery"
    RUN_RECOVERY_FLOW = "run_recovery_flow"
    WAIT = "wait"
    CORRECT_REQUEST = "correct_request"
    NONE = "none"


class Strategy(StrEnum):
    """When it is done: within this request, by a worker, or not by us."""

    IMMEDIATE = "immediate"
    DELAYED = "delayed"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class FlowOrigin:
    """The flow, execution and node inside which a fault happened."""

    flow_id: str
    execution_id: str
    node_id: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """A classified error.

    Attributes:
        retryable: the same call may succeed later without change.
        source: the engine, room or library it comes from: `postgres`, `clickhouse`, `http`, `gateway.flows`, …
        confidence: 0 to 1; how sure the classification is (our own type 1.0, text 0.5, unknown 0.1).
        fingerprint: versioned hash of the kind of fault; equal for the same cause with other ids, hosts and values.
        template: the masked message, ≤ 300 characters; safe to store, not for clients.
        detail: one sentence for a client; never driver text.
        vendor_code: SQLSTATE, ClickHouse code, Redis prefix, Arango errorNum, gRPC or HTTP status, errno name.
        target: what is broken, as `database:<name>`, `service:<name>` or `capability:<word>`; None when nothing outside is.
        retry_after_seconds: waiting time the failing side asked for.
        errors: what is wrong with each field, for invalid input.
        refused: the call was not made, because its target's breaker is open.
        cause: of a refused call, the fault that speaks against its target; None when nobody told it (an operator opened the breaker).
    """

    type: FaultType
    retryable: bool
    source: str
    confidence: float
    fingerprint: str
    error_class: str
    detail: str
    template: str = ""
    vendor_code: str | None = None
    target: str | None = None
    retry_after_seconds: float | None = None
    fallback_available: bool = False
    errors: tuple[FieldError, ...] = ()
    origin: FlowOrigin | None = field(default=None, compare=False)
    refused: bool = False
    cause: "Fault | None" = None

    @property
    def underlying(self) -> "Fault":
        """What really broke: the cause of a refused call where it is known, else the fault itself."""
        return self.cause or self

    @property
    def severity(self) -> Severity:
        """As its type says."""
        return self.type.severity

    @property
    def category(self) -> Category:
        """As its type says."""
        return self.type.category


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done about a fault.

    Attributes:
        delay_ms: for an immediate action, the wait before it; 0 is at once.
        retry_after_ms: when a client may try again; None when waiting does not help.
        reason: constant word for logs: why this and nothing else.
    """

    action: Action
    strategy: Strategy
    reason: str
    delay_ms: int = 0
    retry_after_ms: int | None = None
