"""The routes of dependencies and of what would stop a flow."""

from flask import Blueprint, Response

from configservice.container import parts
from configservice.envelope import success
from configservice.flows.bodies import AddDependency, DependencyQuery
from configservice.flows.checking import check_flow
from configservice.flows.rendering import render_graph

blueprint = Blueprint("dependencies", __name__, url_prefix="/api/v1/flows")


@blueprint.get("/<flow_id>/dependencies")
def show_dependencies(flow_id: str) -> Response:
    """What the flow depends on, with `recursive` all the way down, and who depends on it."""
    return success(render_graph(parts().dependencies.get_graph(flow_id, recursive=DependencyQuery.read().recursive)))


@blueprint.post("/<flow_id>/dependencies")
def add_dependency(flow_id: str) -> Response:
    """Add a dependency. 201; 400 when the flow would come to depend on itself."""
    body = AddDependency.read()
    parts().dependencies.add(flow_id, body)
    data = {
        "flowId": flow_id,
        "dependsOnFlowId": body.depends_on_flow_id,
        "dependencyType": body.dependency_type,
        "condition": {"condition": body.condition, "timeout": body.timeout},
    }
    return success(data, "Dependency added", status=201)


@blueprint.post("/<flow_id>/validate")
def validate(flow_id: str) -> Response:
    """What would stop the flow, and what looks wrong. A body is not read."""
    return success(check_flow(parts().dependencies.get_graph(flow_id, recursive=False)))
