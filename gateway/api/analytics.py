"""What was asked of the gateway, how fast it answered, and what broke."""

from flask import Blueprint, Response, g

from gateway.api.models.analytics import AnalyticsParameters, ErrorReportShape, FaultCountShape, RequestReportShape
from gateway.api.models.common import Success
from gateway.api.operations import operation
from gateway.api.parsing import parse_query
from gateway.api.response_cache import REQUEST_HEADERS, cached_answer
from gateway.api.services import services
from gateway.databases.model import DatabaseName
from gateway.security.scopes import Scope, requires

blueprint = Blueprint("analytics", __name__)


@blueprint.get("/analytics/requests")
@requires(Scope.READ)
@operation(
    "Count requests",
    query=AnalyticsParameters,
    answers={200: Success[RequestReportShape], 304: None},
    problems=(400, 503),
    headers=REQUEST_HEADERS,
)
def requests() -> Response:
    """Counts, rates and p50, p95, p99 by time bucket and group. `servedBy` tells who answered."""
    parameters = parse_query(AnalyticsParameters)

    def count() -> Success[RequestReportShape]:
        report = services().analytics.requests(parameters.to_query(services().clock.now()))
        g.served_from = report.served_by
        return Success[RequestReportShape](data=RequestReportShape.of(report))

    return cached_answer(count, parameters, first=DatabaseName.CLICKHOUSE)


@blueprint.get("/analytics/errors")
@requires(Scope.READ)
@operation(
    "Count errors",
    query=AnalyticsParameters,
    answers={200: Success[ErrorReportShape], 304: None},
    problems=(400, 503),
    headers=REQUEST_HEADERS,
)
def errors() -> Response:
    """Requests that failed, by time bucket and group, and every kind of fault."""
    parameters = parse_query(AnalyticsParameters)

    def count() -> Success[ErrorReportShape]:
        report = services().analytics.errors(parameters.to_query(services().clock.now()))
        g.served_from = report.served_by
        faults = [FaultCountShape.made_from(fault) for fault in report.faults]
        return Success[ErrorReportShape](data=ErrorReportShape.of(report, faults=faults))

    return cached_answer(count, parameters, first=DatabaseName.CLICKHOUSE)
