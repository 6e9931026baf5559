"""Recoveries: what broke, what was tried, how it ended, how long it took."""

from flask import Blueprint, Response

from gateway.api.answers import answer
from gateway.api.models.common import Page, Pagination, Success
from gateway.api.models.recoveries import RecoveriesQuery, RecoveryShape, RecoverySummaryShape
from gateway.api.operations import operation
from gateway.api.parsing import parse_query
from gateway.api.services import services
from gateway.security.scopes import Scope, requires

blueprint = Blueprint("recoveries", __name__)


@blueprint.get("")
@requires(Scope.READ)
@operation("List recoveries", query=RecoveriesQuery, answers={200: Page[RecoverySummaryShape]}, problems=(400, 503))
def index() -> Response:
    """Newest first, by page, filtered by target and status."""
    query = parse_query(RecoveriesQuery)
    page = services().recoveries.list_page(target=query.target, status=query.status, limit=query.limit, offset=query.offset)
    shapes = [RecoverySummaryShape.made_from(recovery) for recovery in page.recoveries]
    pagination = Pagination.of(page=query.page, limit=query.limit, total=page.total)
    return answer(Page[RecoverySummaryShape](data=shapes, pagination=pagination))


@blueprint.get("/<recovery_id>")
@requires(Scope.READ)
@operation("Read a recovery", answers={200: Success[RecoveryShape]}, problems=(404, 503))
def show(recovery_id: str) -> Response:
    """What broke, since when, which strategies ran and how each ended, how long until healthy."""
    return answer(Success[RecoveryShape](data=RecoveryShape.made_from(services().recoveries.get(recovery_id))))
