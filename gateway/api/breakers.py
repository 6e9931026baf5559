"""Breakers: how they are, and what an operator does with one."""

from flask import Blueprint, Response

from gateway.api.answers import answer
from gateway.api.models.breakers import BreakerShape
from gateway.api.models.common import Success
from gateway.api.operations import operation
from gateway.api.services import services
from gateway.security.callers import caller_name
from gateway.security.scopes import Scope, requires

blueprint = Blueprint("breakers", __name__)


@blueprint.get("")
@requires(Scope.READ)
@operation("Every breaker", answers={200: Success[list[BreakerShape]]})
def index() -> Response:
    """Of databases and services, as the process that answers knows them."""
    found = [BreakerShape.made_from(each) for each in services().breaker_control.list_all()]
    return answer(Success[list[BreakerShape]](data=found))


@blueprint.post("/<name>/<action>")
@requires(Scope.ADMIN)
@operation("Force open, disable or reset a breaker", answers={200: Success[BreakerShape]}, problems=(404,))
def act(name: str, action: str) -> Response:
    """`force-open` and `disable` hold until `reset`, in every process within about a second. Logged with the caller's name."""
    changed = services().breaker_control.act(name, action, caller=caller_name())
    return answer(Success[BreakerShape](data=BreakerShape.made_from(changed)))
