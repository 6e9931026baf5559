"""A pinned definition made ready to run: its graph, and which nodes each node's expressions look at. Pure, cached per process."""

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from gateway.flows.graph import Graph
from gateway.flows.model import FlowDefinition, Node
from gateway.flows.parsing import parse_stored_flow

# `nodes.<id>` or `nodes["<id>"]`; any other use of the word reads every node
REFERENCE = re.compile(r"""\bnodes\b(?:\s*\.\s*(?P<dotted>\w+)|\s*\[\s*(?P<quote>["'])(?P<quoted>[^"'\\]*)(?P=quote)\s*\])?""")
CACHED_PLANS = 32


class Plan:
    """One definition, indexed."""

    def __init__(self, flow: FlowDefinition) -> None:
        self.flow = flow
        self.graph = Graph(flow)
        self._nodes = {node.id: node for node in flow.nodes}

    def node(self, node_id: str) -> Node:
        """The node of this id; it exists, because the rows were made from this definition."""
        return self._nodes[node_id]

    def sources(self, node_id: str) -> tuple[str, ...]:
        """The nodes whose edges lead to this one, each once."""
        return tuple(dict.fromkeys(edge.source for edge in self.graph.incoming(node_id)))

    def needed(self, node_id: str) -> frozenset[str]:
        """The nodes whose rows must be read to run this one and to decide its outgoing edges."""
        texts = [*_strings(self.node(node_id).config), *(edge.condition for edge in self.graph.outgoing(node_id) if edge.condition)]
        named = self._named(texts)
        return (frozenset(self._nodes) if named is None else named) | frozenset(self.sources(node_id))

    def _named(self, texts: Iterable[str]) -> frozenset[str] | None:
        """The nodes that these expressions name; None when they may look at any."""
        found: set[str] = set()
        for match in (match for text in texts for match in REFERENCE.finditer(text)):
            name = match["dotted"] or match["quoted"]
            if name not in self._nodes:  # a macro (`nodes.map(…)`), a computed index, or a node that is not there
                return None
            found.add(name)
        return frozenset(found)


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


def _strings(value: Any) -> Iterator[str]:
    pending = [value]
    while pending:
        current = pending.pop()
        if isinstance(current, str):
            yield current
        elif isinstance(current, dict):
            pending.extend(current.values())
            pending.extend(current.keys())
        elif isinstance(current, (list, tuple)):
            pending.extend(current)
