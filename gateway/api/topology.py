"""Who depends on whom, and what breaks when something breaks."""

from flask import Blueprint, Response, g

from gateway.api.models.common import Success
from gateway.api.models.topology import ImpactQuery, ImpactShape, TopologyShape
from gateway.api.operations import operation
from gateway.api.parsing import parse_query
from gateway.api.response_cache import REQUEST_HEADERS, cached_answer
from gateway.api.services import services
from gateway.databases.model import DatabaseName
from gateway.security.scopes import Scope, requires

blueprint = Blueprint("topology", __name__)


@blueprint.get("/topology")
@requires(Scope.READ)
@operation("Read the topology", answers={200: Success[TopologyShape], 304: None}, problems=(503,), headers=REQUEST_HEADERS)
def index() -> Response:
    """Services, flows and databases, and who depends on whom."""

    def look() -> Success[TopologyShape]:
        view = services().topology.view()
        g.served_from = view.served_by
        return Success[TopologyShape](data=TopologyShape.of(view))

    return cached_answer(look, first=DatabaseName.ARANGODB)


@blueprint.get("/topology/<kind>/<name>/impact")
@requires(Scope.READ)
@operation(
    "What breaks when this breaks?",
    query=ImpactQuery,
    answers={200: Success[ImpactShape], 304: None},
    problems=(400, 404, 503),
    headers=REQUEST_HEADERS,
)
def impact(kind: str, name: str) -> Response:
    """Everything that depends on it, directly or through others, with the way there."""
    query = parse_query(ImpactQuery)

    def walk() -> Success[ImpactShape]:
        found = services().topology.impact(kind, name, query.depth)
        g.served_from = found.served_by
        return Success[ImpactShape](data=ImpactShape.of(found))

    return cached_answer(walk, query, first=DatabaseName.ARANGODB)
