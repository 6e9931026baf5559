"""The shapes under `data`, as the platform's JavaScript client reads them."""

from collections.abc import Iterable
from typing import Any

import msgspec

from configservice.envelope import moment
from configservice.flows.model import DependencyGraph, Execution, ExecutionCounts, Neighbour, StoredFlow
from gateway.flows.model import RetryPolicy

MAX_GRAPH_DEPTH = 32
MAX_GRAPH_NODES = 2000
DEFAULT_RETRY_POLICY = msgspec.to_builtins(RetryPolicy())


def render_flow(flow: StoredFlow) -> dict[str, Any]:
    """A definition with every field: lists and objects that were not given are empty, text is null, `retryPolicy` is the effective one."""
    document = flow.document
    return {
        "id": flow.id,
        "name": flow.name,
        "type": flow.type,
        "version": flow.version,
        "description": document.get("description"),
        "status": flow.status.value,
        "createdBy": document["createdBy"],
        "createdAt": moment(flow.created_at),
        "updatedAt": moment(flow.updated_at),
        "tags": document.get("tags", []),
        "metadata": document.get("metadata", {}),
        "nodes": document["nodes"],
        "edges": document.get("edges", []),
        "environment": document.get("environment", {}),
        "parameters": document.get("parameters", []),
        "credentials": document.get("credentials", []),
        "triggers": document.get("triggers", []),
        "schedule": document.get("schedule"),
        "retryPolicy": DEFAULT_RETRY_POLICY | document.get("retryPolicy", {}),
        "dependencies": document.get("dependencies", []),
    }


def render_execution(execution: Execution) -> dict[str, Any]:
    """`{id, flowId, executionId, status, …, duration}`, duration in ms; `id` and `executionId` are the same."""
    return {
        "id": execution.id,
        "flowId": execution.flow_id,
        "executionId": execution.id,
        "status": execution.status.value,
        "parameters": execution.parameters,
        "startedAt": moment(execution.started_at),
        "completedAt": moment(execution.completed_at),
        "result": execution.result,
        "errorMessage": execution.error_message,
        "triggeredBy": execution.triggered_by,
        "executionContext": execution.execution_context,
        "duration": execution.duration_ms,
    }


def render_started(execution: Execution) -> dict[str, Any]:
    """`{executionId, flowId, status, startedAt, parameters}`."""
    whole = render_execution(execution)
    return {name: whole[name] for name in ("executionId", "flowId", "status", "startedAt", "parameters")}


def render_counts(counts: ExecutionCounts) -> dict[str, Any]:
    """The counts under the names of the platform's SQL."""
    return {
        "total_executions": counts.total,
        "successful_executions": counts.successful,
        "failed_executions": counts.failed,
        "running_executions": counts.running,
        "avg_duration_seconds": counts.average_seconds,
    }


def render_graph(graph: DependencyGraph) -> dict[str, Any]:
    """`{flow, dependencies, dependents}`. A flow that several depend on stands under each; `truncated` appears when that explodes."""
    tree = _Tree(graph)
    rendered = {
        "flow": render_flow(graph.flow),
        "dependencies": tree.below(graph.flow.id, (graph.flow.id,)),
        "dependents": [_render_neighbour(each) for each in graph.dependents],
    }
    return rendered | ({"truncated": True} if tree.truncated else {})


class _Tree:
    """Unfolds the graph, at the most MAX_GRAPH_NODES flows and MAX_GRAPH_DEPTH levels."""

    def __init__(self, graph: DependencyGraph) -> None:
        self._edges = graph.dependencies
        self._left = MAX_GRAPH_NODES
        self.truncated = False

    def below(self, flow_id: str, way: tuple[str, ...]) -> list[dict[str, Any]]:
        """The dependencies of a flow that was reached by `way`, each with its own."""
        return list(self._unfold(self._edges.get(flow_id, ()), way))

    def _unfold(self, leaving: Iterable[Neighbour], way: tuple[str, ...]) -> Iterable[dict[str, Any]]:
        for each in leaving:
            if self._left == 0 or len(way) > MAX_GRAPH_DEPTH:
                self.truncated = True
                return
            self._left -= 1
            further = [] if each.other_id in way else self.below(each.other_id, (*way, each.other_id))
            yield {**_render_neighbour(each), "subDependencies": further}


def _render_neighbour(neighbour: Neighbour) -> dict[str, Any]:
    return {
        "flowId": neighbour.other_id,
        "name": neighbour.name,
        "type": neighbour.type,
        "status": neighbour.status,
        "dependencyType": neighbour.dependency_type,
        "condition": {"condition": neighbour.condition, "timeout": neighbour.timeout_ms},
    }
