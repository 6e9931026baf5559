"""Executions: what one run of a flow did, node by node, and what is done to it."""

from flask import Blueprint, Response, request, url_for

from gateway.api.answers import answer
from gateway.api.errors import EndpointNotFound
from gateway.api.models.common import Success
from gateway.api.models.executions import ActionBody, ExecutionShape
from gateway.api.operations import operation
from gateway.api.parsing import parse_body
from gateway.api.services import services
from gateway.executions.model import ExecutionAction
from gateway.security.callers import caller_name
from gateway.security.scopes import Scope, requires

blueprint = Blueprint("executions", __name__)


@blueprint.get("/<execution_id>")
@requires(Scope.READ)
@operation("Read an execution", answers={200: Success[ExecutionShape]}, problems=(404, 503))
def show(execution_id: str) -> Response:
    """Status, nodes, attempts, timings, result, error, and the actions taken on it."""
    return answer(Success[ExecutionShape](data=ExecutionShape.made_from(services().executions.get(execution_id))))


@blueprint.post("/<execution_id>/<action>")
@requires(Scope.FLOWS_EXECUTE)
@operation(
    "Cancel, pause, resume or retry an execution",
    body=ActionBody,
    body_required=False,
    answers={202: Success[ExecutionShape]},
    problems=(400, 404, 409, 413, 415, 503),
    choices={"action": tuple(ExecutionAction)},
)
def act(execution_id: str, action: str) -> Response:
    """`cancel`, `pause`, `resume`, or `retry` from the failed nodes. 409 tells `executionStatus` and `possibleActions`."""
    if action not in set(ExecutionAction):
        raise EndpointNotFound(path=request.path, method=request.method)
    reason = parse_body(ActionBody).reason
    view = services().executions.act(execution_id, ExecutionAction(action), caller=caller_name(), reason=reason)
    location = {"Location": url_for("executions.show", execution_id=execution_id)}
    return answer(Success[ExecutionShape](data=ExecutionShape.made_from(view)), 202, location)
