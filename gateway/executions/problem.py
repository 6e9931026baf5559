"""The error of a node or an execution, in the problem shape of gateway-api.md (RFC 9457, platform's envelope). Pure."""

from typing import Any

from gateway.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    RateLimited,
    Unauthenticated,
    Unavailable,
    UpstreamInvalid,
    UpstreamTimeout,
)
from gateway.recovery.model import Fault

# The status that the same error would have at the edge; the first matching class wins, anything else is 500.
STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (InvalidInput, 400),
    (Unauthenticated, 401),
    (Forbidden, 403),
    (NotFound, 404),
    (Conflict, 409),
    (RateLimited, 429),
    (UpstreamInvalid, 502),
    (Unavailable, 503),
    (UpstreamTimeout, 504),
)


def problem_of(error: BaseException, fault: Fault, *, execution_id: str, node_id: str) -> dict[str, Any]:
    """A JSON object that tells a client what broke, where, and whether to try again. Never driver text."""
    name = fault.type.value.removesuffix("_ERROR")
    problem: dict[str, Any] = {
        "type": f"/problems/{name.lower().replace('_', '-')}",
        "title": f"{name.replace('_', ' ').capitalize()} error",
        "status": next((status for kind, status in STATUSES if isinstance(error, kind)), 500),
        "detail": fault.detail,
        "instance": f"/api/v1/executions/{execution_id}",
        "code": getattr(error, "code", fault.type.value),
        "nodeId": node_id,
        "error": {
            "type": fault.type.value,
            "message": fault.detail,
            "severity": fault.severity.value,
            "category": fault.category.value,
            "retryable": fault.retryable,
            "fingerprint": fault.fingerprint,
        },
    }
    if fault.errors:
        problem["error"]["errors"] = [{"pointer": each.pointer, "detail": each.detail} for each in fault.errors]
    return problem
