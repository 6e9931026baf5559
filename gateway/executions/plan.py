"""A pinned definition made ready to run: its graph, its compiled expressions, and which nodes these look at. Pure, cached per process."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import UNSET

from gateway.flows.expressions import Condition, compile_condition
from gateway.flows.graph import Graph
from gateway.flows.model import FlowDefinition, Node
from gateway.flows.parsing import parse_stored_flow
from gateway.flows.templates import Template, compile_template
from gateway.flows.tokens import Reference

CACHED_PLANS = 32


class Plan:
    """One definition, indexed. Expressions are compiled when first used; two threads that do so at once do the same work."""

    def __init__(self, flow: FlowDefinition) -> None:
        self.flow = flow
        self.graph = Graph(flow)
        self._nodes = {node.id: node for node in flow.nodes}
        self._templates: dict[str, Template] = {}
        self._outgoing: dict[str, tuple[tuple[str, Condition | None], ...]] = {}

    def node(self, node_id: str) -> Node:
        """The node of this id; it exists, because the rows were made from this definition."""
        return self._nodes[node_id]

    def template(self, node_id: str) -> Template:
        """The node's config, compiled.

        Raises:
            ExpressionInvalid
        """
        if node_id not in self._templates:
            self._templates[node_id] = compile_template(self.node(node_id).config)
        return self._templates[node_id]

    def outgoing(self, node_id: str) -> tuple[tuple[str, Condition | None], ...]:
        """The edges that leave the node: where to, and the compiled condition.

        Raises:
            ExpressionInvalid
        """
        if node_id not in self._outgoing:
            self._outgoing[node_id] = tuple(
                (edge.target, None if edge.condition is UNSET else compile_condition(edge.condition))
                for edge in self.graph.outgoing(node_id)
            )
        return self._outgoing[node_id]

    def sources(self, node_id: str) -> tuple[str, ...]:
        """The nodes whose edges lead to this one, each once."""
        return tuple(dict.fromkeys(edge.source for edge in self.graph.incoming(node_id)))

    def needed(self, node_id: str) -> frozenset[str]:
        """The nodes whose rows must be read to run this one and to decide its outgoing edges.

        Raises:
            ExpressionInvalid
        """
        references = [reference for _, reference in self.template(node_id).references]
        references += [reference for _, condition in self.outgoing(node_id) if condition for reference in condition.references]
        return self._named(references) | frozenset(self.sources(node_id))

    def _named(self, references: Iterable[Reference]) -> frozenset[str]:
        """The nodes that these references read; all of them when one reads `nodes` as a whole."""
        paths = [reference.path for reference in references if reference.path[0] == "nodes"]
        if any(len(path) == 1 for path in paths):
            return frozenset(self._nodes)
        return frozenset(path[1] for path in paths if path[1] in self._nodes)


class PlanCache:
    """The plans used last, by the digest of their definition. Safe for threads."""

    def __init__(self) -> None:
        self._plans: OrderedDict[str, Plan] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, digest: str, load: Callable[[], Any]) -> Plan:
        """The plan of this digest; `load` reads the document when it is not at hand."""
        with self._lock:
            if digest in self._plans:
                self._plans.move_to_end(digest)
                return self._plans[digest]
        plan = Plan(parse_stored_flow(load()))
        with self._lock:
            self._plans[digest] = plan
            while len(self._plans) > CACHED_PLANS:
                self._plans.popitem(last=False)
        return plan
