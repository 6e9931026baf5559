"""What can go wrong with an execution and inside its nodes.

NotFound         ── ExecutionNotFound
Conflict         ── FlowArchived, FlowNotAccepted
                 ├─ ActionImpossible    the execution's status does not allow it
                 └─ NodeNotHeld         the node was cancelled or taken over while it ran
Unavailable      ── ServiceUndiscovered nobody alive serves this name or capability
                 ├─ ServiceOverloaded   a called service answers 429, 502, 503 or 504
                 └─ NodeLost            the workers that ran the node died
UpstreamInvalid  ── AnswerUnexpected    a called service answered a status that the node does not expect
GatewayError     ── OutputTooLarge      more than a node, or an execution, may keep
                 └─ OutputNotJson
"""

from collections.abc import Iterable

from gateway.errors import Conflict, GatewayError, NotFound, Unavailable, UpstreamInvalid
from gateway.executions.model import ExecutionAction, ExecutionStatus
from gateway.targets import capability_target


class ExecutionNotFound(NotFound):
    """No execution has this id."""

    code = "EXECUTION_NOT_FOUND"


class FlowArchived(Conflict):
    """The flow is archived and does not run any more."""

    code = "FLOW_ARCHIVED"


class FlowNotAccepted(Conflict):
    """The registry did not take the flow: its rules refuse it, or another one has its place. Register a corrected one."""

    code = "FLOW_NOT_ACCEPTED"


class ActionImpossible(Conflict):
    """The execution's status does not allow the action. `possible`: those it allows."""

    code = "EXECUTION_STATE_CONFLICT"

    def __init__(self, detail: str, *, status: ExecutionStatus, possible: Iterable[ExecutionAction]) -> None:
        super().__init__(detail)
        self.status = status
        self.possible = tuple(possible)


class NodeNotHeld(Conflict):
    """The node was cancelled, or taken over, while it ran: its call is not made again."""

    code = "NODE_NOT_HELD"


class ServiceUndiscovered(Unavailable):
    """Nobody alive serves this name or capability. Retryable: a service that restarts is back in seconds."""

    code = "SERVICE_DISCOVERY_ERROR"

    def __init__(self, detail: str, *, service: str | None = None, capability: str | None = None) -> None:
        super().__init__(detail)
        self.service = service
        self.target = capability_target(capability) if capability else None


class ServiceOverloaded(Unavailable):
    """The called service says that it cannot serve now. Retryable; `retry_after_seconds` is what it asked for.

    `vendor_code`: the HTTP status, for classifying. `service`: its name.
    """

    code = "UPSTREAM_UNAVAILABLE"

    def __init__(self, detail: str, *, service: str, status: int, retry_after_seconds: float | None = None) -> None:
        super().__init__(detail, retry_after_seconds=retry_after_seconds)
        self.service = service
        self.vendor_code = str(status)


class AnswerUnexpected(UpstreamInvalid):
    """The called service answered a status that the node does not expect. Not retried: it would answer the same."""

    code = "UPSTREAM_UNEXPECTED_STATUS"

    def __init__(self, detail: str, *, service: str, status: int) -> None:
        super().__init__(detail)
        self.service = service
        self.vendor_code = str(status)


class OutputTooLarge(GatewayError):
    """The output is larger than a node, or all nodes of an execution together, may keep."""

    code = "OUTPUT_TOO_LARGE"


class OutputNotJson(GatewayError):
    """The output has no form in JSON."""

    code = "OUTPUT_NOT_JSON"


class NodeLost(Unavailable):
    """The workers that ran this node died, each time. Taken for the cause of it and not run again."""

    code = "NODE_LOST"
    retryable = False
