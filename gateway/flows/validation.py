"""What would stop a flow running (errors), and what looks wrong (warnings). Nothing here reads anything but the definition."""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET

from gateway.errors import FieldError
from gateway.flows.cron import cron_problem
from gateway.flows.expressions import compile_condition, compile_template
from gateway.flows.graph import Graph
from gateway.flows.limits import pointer_to
from gateway.flows.model import FlowDefinition, FlowStatus
from gateway.flows.parameters import default_problems
from gateway.flows.rules import broken_rules
from gateway.flows.tokens import Reference

NODE_FIELDS = ("output", "status")
EXECUTION_FIELDS = ("id", "flowId", "triggeredBy")


@dataclass(frozen=True)
class Validation:
    """What a look at a definition found. Pointers lead into the definition's document."""

    flow: FlowDefinition
    errors: tuple[FieldError, ...]
    warnings: tuple[FieldError, ...]

    @property
    def is_valid(self) -> bool:
        """Whether nothing would stop it; warnings do not."""
        return not self.errors

    def details(self) -> dict[str, list[dict[str, Any]]]:
        """Per part, as the platform's client reads it: `nodesValidation: [{nodeId, isValid, issues}]`, and likewise for the others."""
        return {
            "nodesValidation": self._of("nodes", "nodeId", [node.id for node in self.flow.nodes]),
            "edgesValidation": self._of("edges", "edgeId", [edge.id for edge in self.flow.edges]),
            "dependenciesValidation": self._of("dependencies", "flowId", [each.flow_id for each in self.flow.dependencies]),
            "credentialsValidation": self._of("credentials", "key", [each.key for each in self.flow.credentials]),
        }

    def _of(self, part: str, id_name: str, ids: list[str]) -> list[dict[str, Any]]:
        errors, warnings = _by_index(part, self.errors), _by_index(part, self.warnings)
        return [
            {id_name: name, "isValid": index not in errors, "issues": errors.get(index, []) + warnings.get(index, [])}
            for index, name in enumerate(ids)
        ]


def validate(flow: FlowDefinition) -> Validation:
    """Look at a definition, which may be one that `parse_flow` refuses (see `parsing.read_shape`)."""
    errors = tuple(broken_rules(flow))
    if errors:
        return Validation(flow, errors, ())
    return Validation(flow, errors, tuple(_Advice(flow).all()))


def _by_index(part: str, issues: tuple[FieldError, ...]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for issue in issues:
        match = re.match(rf"/{part}/(\d+)(.*)", issue.pointer)
        if match:
            found[int(match[1])].append(f"{match[2].lstrip('/')}: {issue.detail}" if match[2] else issue.detail)
    return found


class _Advice:
    """The warnings about one definition that can run."""

    def __init__(self, flow: FlowDefinition) -> None:
        self._flow = flow
        self._graph = Graph(flow)
        self._node_ids = {node.id for node in flow.nodes}
        self._parameters = {parameter.name for parameter in flow.parameters}
        self._ancestors: dict[str, frozenset[str]] = {}
        self._used: set[str] = set()

    def all(self) -> Iterator[FieldError]:
        """Every warning."""
        yield from self._references()
        yield from self._isolated_nodes()
        yield from self._parameter_advice()
        yield from self._dependency_advice()
        yield from self._schedules()
        if self._flow.status == FlowStatus.DEPRECATED:
            yield FieldError("/status", "is deprecated: the flow runs, but should be replaced")

    def _references(self) -> Iterator[FieldError]:
        for index, node in enumerate(self._flow.nodes):
            for pointer, reference in compile_template(node.config).references:
                for detail in self._reference(reference, node.id):
                    yield FieldError(pointer_to("nodes", index, "config") + pointer, detail)
        for index, edge in enumerate(self._flow.edges):
            if edge.condition is UNSET:
                continue
            for reference in compile_condition(edge.condition).references:
                for detail in self._reference(reference, edge.source, on_edge=True):
                    yield FieldError(pointer_to("edges", index, "condition"), detail)

    def _reference(self, reference: Reference, node_id: str, *, on_edge: bool = False) -> Iterator[str]:
        root, *rest = reference.path
        if root == "parameters":
            yield from self._parameter_reference(rest)
        elif root == "execution" and rest and rest[0] not in EXECUTION_FIELDS:
            yield f"reads execution.{rest[0]}; an execution has {', '.join(EXECUTION_FIELDS)}"
        elif root == "nodes" and rest:
            yield from self._node_reference(rest, self._upstream(node_id) | ({node_id} if on_edge else frozenset()))

    def _upstream(self, node_id: str) -> frozenset[str]:
        if node_id not in self._ancestors:
            self._ancestors[node_id] = self._graph.ancestors(node_id)
        return self._ancestors[node_id]

    def _parameter_reference(self, rest: list[str]) -> Iterator[str]:
        if not rest:
            self._used |= self._parameters
        elif rest[0] in self._parameters:
            self._used.add(rest[0])
        else:
            yield f"reads the parameter {rest[0]!r}, which is not declared"

    def _node_reference(self, rest: list[str], upstream: frozenset[str]) -> Iterator[str]:
        name = rest[0]
        if name not in self._node_ids:
            yield f"reads the node {name!r}, which is not in this flow{self._dash_hint(name)}"
        elif name not in upstream:
            yield f"reads the node {name!r}, from which no path leads here: it may not have run"
        elif len(rest) > 1 and rest[1] not in NODE_FIELDS:
            yield f"reads {rest[1]!r} of the node {name!r}; a node has {' and '.join(NODE_FIELDS)}"

    def _dash_hint(self, name: str) -> str:
        """`nodes.my-node` is a subtraction in CEL."""
        meant = next((node_id for node_id in sorted(self._node_ids) if re.match(re.escape(name) + r"[^A-Za-z0-9_]", node_id)), None)
        return f'; a name with other signs than letters, digits and _ is written nodes["{meant}"]' if meant else ""

    def _isolated_nodes(self) -> Iterator[FieldError]:
        if len(self._flow.nodes) == 1 or not self._flow.edges:
            return
        for index, node in enumerate(self._flow.nodes):
            if not self._graph.incoming(node.id) and not self._graph.outgoing(node.id):
                yield FieldError(pointer_to("nodes", index), "is joined to no other node: it runs at the start, and its output is a result")

    def _parameter_advice(self) -> Iterator[FieldError]:
        for index, parameter in enumerate(self._flow.parameters):
            if parameter.name not in self._used:
                yield FieldError(pointer_to("parameters", index), f"{parameter.name!r} is read by no expression")
            for detail in default_problems(parameter):
                yield FieldError(pointer_to("parameters", index, "default"), detail)

    def _dependency_advice(self) -> Iterator[FieldError]:
        """What the registry refuses, leaves out or never reads. Whether the others are registered, only the registry knows."""
        seen: set[str] = set()
        for index, dependency in enumerate(self._flow.dependencies):
            if dependency.flow_id == self._flow.id:
                yield FieldError(pointer_to("dependencies", index, "flowId"), "is this flow itself: the registry refuses that")
            if dependency.flow_id in seen:
                yield FieldError(pointer_to("dependencies", index, "flowId"), f"names {dependency.flow_id!r} again: the first counts")
            if (dependency.type == "conditional") != (dependency.condition is not UNSET):
                yield FieldError(pointer_to("dependencies", index), "needs type conditional and a condition, both or neither")
            seen.add(dependency.flow_id)

    def _schedules(self) -> Iterator[FieldError]:
        if self._flow.schedule is not UNSET and (problem := cron_problem(self._flow.schedule)):
            yield FieldError("/schedule", problem)
        for index, trigger in enumerate(self._flow.triggers):
            cron = next((trigger.config[name] for name in ("cron", "schedule") if name in trigger.config), None)
            if trigger.type == "schedule" and cron is not None and (problem := cron_problem(str(cron))):
                yield FieldError(pointer_to("triggers", index, "config"), problem)
