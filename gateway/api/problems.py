"""From any error to an answer: RFC 9457 problem details and the platform's envelope in one object. The only place that knows statuses.

The error path takes no call to any server (decision 4): classifying and deciding are pure, the record goes to a local buffer.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
import structlog
from flask import Flask, Response, g, json, request
from werkzeug.exceptions import HTTPException

from config.broken_request import BrokenRequest
from gateway.analytics.faults import fault_event
from gateway.api.edge_errors import from_http_exception
from gateway.api.errors import BodyTooLarge, EndpointNotFound, MediaTypeUnsupported, MethodNotAllowed, NotReady, RequestRefused
from gateway.api.freshness import FALLBACK
from gateway.api.models.common import FieldProblem, Problem, ProblemError, ProblemRecovery
from gateway.api.requests import route
from gateway.api.services import services
from gateway.errors import GatewayError, Unauthenticated
from gateway.executions.errors import ActionImpossible
from gateway.observability.context import current_request_id
from gateway.recovery.decide import Situation, decide
from gateway.recovery.guidance import guidance
from gateway.recovery.model import Decision, Fault
from gateway.recovery.problem_status import STATUSES, status_in
from gateway.recovery.problem_types import PROBLEM_TYPES
from gateway.security.callers import current_tenant

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
REALM = 'Bearer realm="api-gateway"'
INTERNAL_ERROR = "INTERNAL_ERROR"
# What a request can do wrong before any view sees it; everything else has its status wherever it is shown.
EDGE_STATUSES: Mapping[type[GatewayError], int] = {
    **STATUSES,
    EndpointNotFound: 404,
    MethodNotAllowed: 405,
    BodyTooLarge: 413,
    MediaTypeUnsupported: 415,
}
SAYS_WHEN = frozenset({429, 503})  # the contract promises Retry-After with these
UNKNOWN_WAIT_MS = 30_000  # an operator must act first, or nobody knows


def install_problem_handlers(app: Flask) -> None:
    """Every error becomes a problem, those that werkzeug raises before the view included."""
    app.register_error_handler(HTTPException, _of_http_exception)
    app.register_error_handler(Exception, _of_exception)


def status_of(error: BaseException) -> int:
    """The status of an error: by the most specific base of its class in the table; 500 for anything else."""
    if isinstance(error, RequestRefused):
        return error.status
    return status_in(EDGE_STATUSES, error)


def problem_response(error: BaseException, extra: Mapping[str, Any] | None = None) -> Response:
    """The answer to an error, with the headers that help: Retry-After, WWW-Authenticate, Allow, X-Fallback-Available.

    Args:
        extra: further members of the problem (RFC 9457 §3.2).
    """
    fault = services().patterns.classify(error)
    status = status_of(error)
    decision, recovery_id = _leave_to_a_worker(fault)
    wait_ms = decision.retry_after_ms or (UNKNOWN_WAIT_MS if status in SAYS_WHEN else None)
    _record(error, fault)
    problem = _problem(error, fault, status, _recovery(fault, decision, wait_ms, recovery_id))
    body = {**msgspec.to_builtins(problem), **_members(error), **(extra or {})}
    return Response(json.dumps(body, sort_keys=False), status=status, mimetype=MEDIA_TYPE, headers=_headers(error, fault, wait_ms))


def _leave_to_a_worker(fault: Fault) -> tuple[Decision, str | None]:
    """What is done from here on, and the recovery that does it.

    Whatever could be done within the request (other instances, repetitions, fallbacks, copies) was done or was not to be had where the
    call was made: an error comes here only after it, so none of it is offered again.
    """
    recoveries, patterns = services().recoveries, services().patterns
    situation = Situation(
        **_breaker(fault),
        recovery_flow=recoveries.has_flow(fault),
        learned=patterns.find_learned(fault),
        deferrable=recoveries.takes(fault),
    )
    decision = decide(fault, situation, patterns.policy)
    recovery_id = recoveries.intend(fault, decision)
    if recovery_id:  # one that was open already may be doing something else
        return replace(decision, action=recoveries.find_action(fault) or decision.action), recovery_id
    return decide(fault, replace(situation, deferrable=False), patterns.policy), None


def _of_http_exception(error: HTTPException) -> Response:
    original = getattr(error, "original_exception", None)  # what Flask wraps in an InternalServerError
    return _of_exception(original) if original else problem_response(from_http_exception(error))


def _of_exception(error: Exception) -> Response:
    if isinstance(error, BrokenRequest):
        return problem_response(RequestRefused(error.detail, status=error.status))
    if status_of(error) == 500:
        log.error("request_crashed", error=type(error).__name__, exc_info=error)
    return problem_response(error)


def _problem(error: BaseException, fault: Fault, status: int, recovery: ProblemRecovery) -> Problem:
    kind = PROBLEM_TYPES[fault.type]
    return Problem(
        type=kind.path,
        title=kind.title,
        status=status,
        detail=fault.detail,
        instance=request.path,
        message=fault.detail,
        code=_code(error),
        error=_error(fault),
        recovery=recovery,
        request_id=current_request_id(),
        timestamp=services().clock.now(),
    )


def _code(error: BaseException) -> str:
    return error.code if isinstance(error, GatewayError) else INTERNAL_ERROR


def _error(fault: Fault) -> ProblemError:
    return ProblemError(
        type=fault.type,
        message=fault.detail,
        severity=fault.severity.value,
        category=fault.category,
        retryable=fault.retryable,
        fingerprint=fault.fingerprint,
        errors=[FieldProblem(pointer=item.pointer, detail=item.detail) for item in fault.errors],
    )


def _recovery(fault: Fault, decision: Decision, wait_ms: int | None, recovery_id: str | None) -> ProblemRecovery:
    return ProblemRecovery(
        action=decision.action,
        strategy=decision.strategy.value,
        retry_after=wait_ms,
        guidance=guidance(fault, decision),
        recovery_id=recovery_id,
    )


def _breaker(fault: Fault) -> dict[str, Any]:
    """What the breaker of the broken target says: its remaining time is the honest Retry-After."""
    breaker = services().breakers.find(fault.target) if fault.target else None
    return {"breaker": breaker.state(), "breaker_seconds": breaker.remaining_open_seconds()} if breaker else {}


def _record(error: BaseException, fault: Fault) -> None:
    """For the request's log line, as a row of its own, and for its pattern."""
    g.refusal = {"code": _code(error), "fault_type": fault.type.value, "target": fault.target}
    if not isinstance(error, NotReady):  # what a probe is told of the gateway itself; what broke is learned where it broke
        services().patterns.observe(fault)
    services().analytics.record_fault(fault_event(fault, services().clock.now(), route=route(), tenant=current_tenant()))


def _headers(error: BaseException, fault: Fault, wait_ms: int | None) -> dict[str, str]:
    headers = {}
    if wait_ms is not None:
        headers["Retry-After"] = str(max(1, math.ceil(wait_ms / 1000)))
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = REALM
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = ", ".join(error.allowed)
    if fault.fallback_available:
        headers |= FALLBACK
    return headers


def _members(error: BaseException) -> dict[str, Any]:
    """Members of one kind of problem alone."""
    if isinstance(error, EndpointNotFound):
        return {"path": error.path, "method": error.method}
    if isinstance(error, ActionImpossible):
        return {"executionStatus": error.status.value, "possibleActions": [action.value for action in error.possible]}
    return {}
