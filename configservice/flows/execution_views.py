"""The routes of executions."""

from flask import Blueprint, Response

from configservice.container import parts
from configservice.envelope import success, window
from configservice.flows.bodies import ExecuteFlow, ExecuteHeaders, ListExecutions, ReportStatus
from configservice.flows.rendering import render_execution, render_started
from gateway.flows.model import FlowStatus

blueprint = Blueprint("executions", __name__, url_prefix="/api/v1")


@blueprint.post("/flows/<flow_id>/execute")
def record_execution(flow_id: str) -> Response:
    """Record an execution, once for each `Idempotency-Key`. 202; 409 when the flow is archived; a deprecated flow brings `warnings`."""
    key = ExecuteHeaders.read().idempotency_key
    execution, flow_status = parts().executions.record(flow_id, ExecuteFlow.read(optional=True), key)
    deprecated = flow_status is FlowStatus.DEPRECATED
    beside = {"warnings": [f"The flow {flow_id} is deprecated"]} if deprecated else {}
    return success(render_started(execution), "Flow execution recorded", status=202, **beside)


@blueprint.get("/flows/<flow_id>/executions")
def list_executions(flow_id: str) -> Response:
    """A flow's executions, newest first unless `sortOrder=asc`."""
    query = ListExecutions.read()
    executions, total = parts().executions.list_executions(flow_id, query)
    return success([render_execution(each) for each in executions], pagination=window(query.limit, query.offset, total))


@blueprint.put("/executions/<execution_id>/status")
@blueprint.put("/flows/executions/<execution_id>/status")  # where the platform's own service has it
def report_status(execution_id: str) -> Response:
    """Report how an execution goes on; 409 when its status does not allow it."""
    return success(render_execution(parts().executions.report(execution_id, ReportStatus.read())), "Execution status written")
