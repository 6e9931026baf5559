"""The error of a node or an execution, in the problem shape of gateway-api.md (RFC 9457, platform's envelope). Pure."""

from typing import Any

from gateway.recovery.guidance import error_object
from gateway.recovery.model import Fault, FaultType
from gateway.recovery.problem_status import FLOW_AT_FAULT, STATUSES, status_in
from gateway.recovery.problem_types import PROBLEM_TYPES


def problem_of(error: BaseException, fault: Fault, *, execution_id: str, node_id: str) -> dict[str, Any]:
    """A JSON object that tells a client what broke, where, and whether to try again. Never driver text."""
    kind = PROBLEM_TYPES[fault.type]
    return {
        "type": kind.path,
        "title": kind.title,
        "status": FLOW_AT_FAULT if fault.type is FaultType.FLOW else status_in(STATUSES, error),
        "detail": fault.detail,
        "instance": f"/api/v1/executions/{execution_id}",
        "code": getattr(error, "code", fault.type.value),
        "nodeId": node_id,
        "error": error_object(fault),
    }
