"""What expressions see (contracts/configuration-service.md, "How the gateway runs a definition"), and what edges decide. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

from gateway.executions.model import NodeStatus
from gateway.executions.plan import Plan
from gateway.flows.node_config import NodeKind
from gateway.flows.templates import Escape

# A value cannot leave its place in a path: not into another segment, the query or a fragment (RFC 3986 §2.2).
IN_PATH: Mapping[tuple[object, ...], Escape] = {("path",): partial(quote, safe="")}


@dataclass(frozen=True)
class NodeResult:
    """Where a node stands and what it gave."""

    status: NodeStatus
    output: Any = None


@dataclass(frozen=True)
class Scope:
    """The values of one execution as one node sees them. `nodes` holds those that the node's expressions name."""

    execution_id: str
    flow_id: str
    triggered_by: str
    parameters: Mapping[str, Any]
    nodes: Mapping[str, NodeResult]

    def variables(self) -> dict[str, Any]:
        """As CEL variables."""
        return {
            "parameters": dict(self.parameters),
            "nodes": {name: {"output": result.output, "status": result.status.value} for name, result in self.nodes.items()},
            "execution": {"id": self.execution_id, "flowId": self.flow_id, "triggeredBy": self.triggered_by},
        }


def render_config(plan: Plan, node_id: str, scope: Scope) -> dict[str, Any]:
    """The node's config with every `${…}` replaced by its value; percent-encoded where it becomes a part of a service's path.

    Raises:
        ExpressionInvalid, ExpressionFailed.
    """
    escapes = IN_PATH if plan.node(node_id).type == NodeKind.SERVICE else None
    config: dict[str, Any] = plan.template(node_id).render(scope.variables(), escapes)
    return config


def decide_edges(plan: Plan, node_id: str, scope: Scope, output: Any) -> dict[str, tuple[int, int]]:
    """For each node after this completed one: how many of its edges are now decided, and how many of them are taken.

    Raises:
        ExpressionInvalid, ExpressionFailed: a condition has no value.
    """
    variables = scope.variables()
    variables["nodes"][node_id] = {"output": output, "status": NodeStatus.COMPLETED.value}
    variables["output"] = output
    decisions: dict[str, tuple[int, int]] = {}
    for target, condition in plan.outgoing(node_id):
        taken = condition is None or condition.evaluate(variables)
        decided, taken_before = decisions.get(target, (0, 0))
        decisions[target] = (decided + 1, taken_before + taken)
    return decisions


def skip_edges(plan: Plan, node_ids: list[str]) -> dict[str, tuple[int, int]]:
    """The same for skipped nodes: all their edges are decided, none is taken."""
    decisions: dict[str, tuple[int, int]] = {}
    for edge in (edge for node_id in node_ids for edge in plan.graph.outgoing(node_id)):
        decisions[edge.target] = (decisions.get(edge.target, (0, 0))[0] + 1, 0)
    return decisions
