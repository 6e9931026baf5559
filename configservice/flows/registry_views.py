"""The routes about the registry as a whole: statistics, health, types."""

from typing import Any

from flask import Blueprint, Response

from configservice.container import parts
from configservice.envelope import success
from configservice.flows.model import ExecutionStatus
from configservice.flows.rendering import render_counts, render_flow
from configservice.health import answer, check_database, describe
from gateway.flows.model import FlowStatus, FlowType

blueprint = Blueprint("registry", __name__, url_prefix="/api/v1/flows")

DEFINITIONS: dict[FlowType, str] = {
    FlowType.LANGGRAPH_WORKFLOW: "A workflow of agents, one node for each step",
    FlowType.AI_BRAIN_VALIDATION: "Checks on what a model decided before anybody acts on it",
    FlowType.CHAIN_MAPPING: "A map of which service hands what on to which",
    FlowType.CUSTOM: "Anything else; learned error patterns are stored as these",
}


@blueprint.get("/<flow_id>/statistics")
def show_statistics(flow_id: str) -> Response:
    """How the executions of a flow ended; `successRate` in percent of all of them."""
    flow, counts = parts().statistics.of_flow(flow_id)
    return success({"flow": render_flow(flow), "executions": render_counts(counts), "successRate": counts.success_rate})


@blueprint.get("/statistics/global")
def show_global_statistics() -> Response:
    """The same over all flows, and how many flows there are by status and type."""
    counts = parts().statistics.of_all()
    by_status: dict[str, Any] = {f"{status}_flows": counts.by_status.get(status, 0) for status in FlowStatus}
    return success(
        {
            "flows": {"total_flows": sum(counts.by_status.values()), **by_status, "by_type": counts.by_type},
            "executions": render_counts(counts.executions),
            "successRate": counts.executions.success_rate,
        }
    )


@blueprint.get("/health")
def show_health() -> Response:
    """`{status, timestamp, service, version, uptime, checks}` without an envelope, as the platform's client reads it."""
    database = check_database(parts())
    return answer({**describe(parts(), database["status"]), "checks": {"database": database}})


@blueprint.get("/types")
def show_types() -> Response:
    """The words the registry knows."""
    return success(
        {
            "types": [each.value for each in FlowType],
            "statuses": [each.value for each in FlowStatus],
            "executionStatuses": [each.value for each in ExecutionStatus],
            "definitions": {each.value: {"name": each.value, "description": text} for each, text in DEFINITIONS.items()},
        }
    )
