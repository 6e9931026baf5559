"""What was asked of the gateway, how fast it answered, and what broke."""

from flask import Blueprint, Response, g

from gateway.api.answers import answer
from gateway.api.models.analytics import AnalyticsParameters, ErrorReportShape, FaultCountShape, RequestReportShape
from gateway.api.models.common import Success
from gateway.api.operations import operation
from gateway.api.parsing import parse_query
from gateway.api.services import services
from gateway.security.scopes import Scope, requires

blueprint = Blueprint("analytics", __name__)


@blueprint.get("/analytics/requests")
@requires(Scope.READ)
@operation("Count requests", query=AnalyticsParameters, answers={200: Success[RequestReportShape]}, problems=(400, 503))
def requests() -> Response:
    """Counts, rates and p50, p95, p99 by time bucket and group. `servedBy` tells who answered."""
    query = parse_query(AnalyticsParameters).to_query(services().clock.now())
    report = services().analytics.requests(query)
    g.served_from = report.served_by
    return answer(Success[RequestReportShape](data=RequestReportShape.of(report)))


@blueprint.get("/analytics/errors")
@requires(Scope.READ)
@operation("Count errors", query=AnalyticsParameters, answers={200: Success[ErrorReportShape]}, problems=(400, 503))
def errors() -> Response:
    """Requests that failed, by time bucket and group, and every kind of fault."""
    query = parse_query(AnalyticsParameters).to_query(services().clock.now())
    report = services().analytics.errors(query)
    g.served_from = report.served_by
    faults = [FaultCountShape.model_validate(fault) for fault in report.faults]
    return answer(Success[ErrorReportShape](data=ErrorReportShape.of(report, faults=faults)))
