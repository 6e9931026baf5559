"""The six databases: how they are, and one read through the single interface."""

from flask import Blueprint, Response, g

from gateway.api.answers import answer
from gateway.api.models.common import Success
from gateway.api.models.databases import DatabasesShape, QueryBody, ResultShape, describe_databases
from gateway.api.operations import operation
from gateway.api.parsing import parse_body
from gateway.api.services import services
from gateway.security.scopes import Scope, requires

blueprint = Blueprint("databases", __name__)


@blueprint.get("/status/databases")
@requires(Scope.READ)
@operation("Status of all six databases", answers={200: Success[DatabasesShape]})
def status() -> Response:
    """As the background poller last saw them; asking costs the databases nothing."""
    snapshot = {str(name): state for name, state in services().poller.snapshot().items()}
    return answer(Success[DatabasesShape](data=describe_databases(snapshot)))


@blueprint.post("/databases/<name>/query")
@requires(Scope.DATABASES_QUERY)
@operation("Read from one database", body=QueryBody, answers={200: Success[ResultShape]}, problems=(400, 404, 409, 413, 415, 502, 503, 504))
def query(name: str) -> Response:
    """One read through the single interface, in the engine's own language. Statements that would write are refused."""
    body = parse_body(QueryBody)
    result = services().queries.run(name, body.statement, body.parameters, body.timeout_ms, body.max_rows)
    g.served_from = result.served_by
    return answer(Success[ResultShape](data=ResultShape.made_from(result)))
