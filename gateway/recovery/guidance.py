"""What a client is told: one sentence per fault, per field for invalid input, and the wire's `error` and `recovery` objects."""

from collections.abc import Mapping
from typing import Any

from gateway.recovery.model import Action, Decision, Fault, FaultType

BY_ACTION: Mapping[Action, str] = {
    Action.RETRY: "The gateway is looking whether it answers again; try again after retryAfter.",
    Action.RECONNECT_DATABASE: "The gateway is reconnecting to the database; try again after retryAfter.",
    Action.FAILOVER_INSTANCE: "The gateway is looking for another instance of the service; try again after retryAfter.",
    Action.REFRESH_DISCOVERY: "The gateway is asking again where the service is; try again after retryAfter.",
    Action.RUN_RECOVERY_FLOW: "A recovery flow is started for this fault; try again after retryAfter.",
    Action.FALLBACK: "A fallback answered; the data may be incomplete.",
    Action.SERVE_STALE: "The last known good copy answered; its age is shown.",
    Action.REAUTHENTICATE: "The gateway is renewing its credentials; try again.",
    Action.REDISCOVER_SERVICE: "The gateway is trying another instance of the service.",
    Action.CORRECT_REQUEST: "Correct the request and send it again; sending it unchanged fails again.",
}
BY_TYPE: Mapping[FaultType, str] = {
    FaultType.DATABASE_CONNECTION: "A database refuses the gateway; an operator has to act.",
    FaultType.AUTHENTICATION: "Send a valid bearer token in the Authorization header.",
    FaultType.AUTHORIZATION: "Ask an administrator for the scope that this endpoint needs.",
    FaultType.RATE_LIMIT: "Slow down: wait for retryAfter before the next request.",
    FaultType.SERVICE_DISCOVERY: "No healthy instance of the service is registered; check its name and its registration.",
    FaultType.NOT_FOUND: "Check the path and the identifiers in it.",
    FaultType.CONFLICT: "Read the current state and decide anew.",
    FaultType.TIMEOUT: "Try again after retryAfter, or ask for less at once.",
    FaultType.UPSTREAM: "A service behind the gateway failed; try again after retryAfter.",
    FaultType.FLOW: "Read the execution's nodes to see which step failed and why.",
    FaultType.UNKNOWN: "Report the requestId to an operator.",
}
TOO_SLOW = "Ask for less at once, or allow more time; the same fails again."
LATER = "The database is not called now; try again after retryAfter."
COLLIDED = "Somebody else changed it at the same moment; try again after retryAfter."


def guidance(fault: Fault, decision: Decision) -> str:
    """One sentence that a client can act on. For invalid input each field is named, at most five of them."""
    if fault.type is FaultType.VALIDATION and fault.errors:
        fields = "; ".join(f"{error.pointer or 'the whole body'}: {error.detail}" for error in fault.errors[:5])
        more = f"; and {len(fault.errors) - 5} more" if len(fault.errors) > 5 else ""
        return f"{BY_ACTION[Action.CORRECT_REQUEST]} {fields}{more}"
    if fault.type is FaultType.CONFLICT and fault.retryable:
        return COLLIDED
    if fault.type is FaultType.TIMEOUT and not fault.retryable:
        return TOO_SLOW
    if fault.type is FaultType.DATABASE_CONNECTION and decision.action is Action.WAIT:
        return LATER
    return BY_ACTION.get(decision.action) or BY_TYPE.get(fault.type) or BY_TYPE[FaultType.UNKNOWN]


def error_object(fault: Fault) -> dict[str, Any]:
    """The contract's `error` object."""
    shown: dict[str, Any] = {
        "type": fault.type.value,
        "message": fault.detail,
        "severity": fault.severity.value,
        "category": fault.category.value,
        "retryable": fault.retryable,
        "fingerprint": fault.fingerprint,
    }
    if fault.errors:
        shown["errors"] = [{"pointer": error.pointer, "detail": error.detail} for error in fault.errors]
    return shown
