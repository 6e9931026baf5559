"""Executions: what one run of a flow did, node by node."""

from flask import Blueprint, Response

from gateway.api.answers import answer
from gateway.api.models.common import Success
from gateway.api.models.executions import ExecutionShape
from gateway.api.operations import operation
from gateway.api.services import services
from gateway.security.scopes import Scope, requires

blueprint = Blueprint("executions", __name__)


@blueprint.get("/<execution_id>")
@requires(Scope.READ)
@operation("Read an execution", answers={200: Success[ExecutionShape]}, problems=(404, 503))
def show(execution_id: str) -> Response:
    """Status, nodes, attempts, timings, result and error."""
    return answer(Success[ExecutionShape](data=ExecutionShape.model_validate(services().executions.get(execution_id))))
