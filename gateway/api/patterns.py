"""Learned error patterns: what keeps breaking, and what heals it."""

from flask import Blueprint, Response, g

from gateway.api.answers import answer
from gateway.api.freshness import FALLBACK, is_stand_in
from gateway.api.models.common import Page, Pagination, Success
from gateway.api.models.patterns import PatternShape, PatternsQuery, PatternSummaryShape
from gateway.api.operations import operation
from gateway.api.parsing import parse_query
from gateway.api.services import services
from gateway.databases.model import DatabaseName
from gateway.security.scopes import Scope, requires

blueprint = Blueprint("patterns", __name__)


@blueprint.get("")
@requires(Scope.READ)
@operation("List error patterns", query=PatternsQuery, answers={200: Page[PatternSummaryShape]}, problems=(400, 503))
def index() -> Response:
    """Last seen first, by page, filtered by type and source."""
    query = parse_query(PatternsQuery)
    page = services().patterns.list_patterns(fault_type=query.type, source=query.source, limit=query.limit, offset=query.offset)
    shapes = [PatternSummaryShape.of(view) for view in page.views]
    pagination = Pagination.of(page=query.page, limit=query.limit, total=page.total)
    return answer(Page[PatternSummaryShape](data=shapes, pagination=pagination))


@blueprint.get("/<fingerprint>")
@requires(Scope.READ)
@operation("Read an error pattern", answers={200: Success[PatternShape]}, problems=(404, 503))
def show(fingerprint: str) -> Response:
    """Its template, counts and samples, what was tried and how that ended, what is suggested, and patterns that mean something similar."""
    view = services().patterns.get(fingerprint)
    g.served_from = view.related_by or "live"
    stands_in = view.related_by is not None and is_stand_in(view.related_by, DatabaseName.WEAVIATE)
    return answer(Success[PatternShape](data=PatternShape.of(view)), headers=FALLBACK if stands_in else None)
