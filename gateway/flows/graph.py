"""The order of a flow's nodes. Nothing here recurses, so that a chain of five hundred nodes is as good as any."""

from collections import defaultdict, deque
from collections.abc import Iterable

from gateway.flows.model import Edge, FlowDefinition


class Graph:
    """Nodes and edges of one definition, which has no cycle and no edge to nowhere (`parse_flow` saw to it).

    Attributes:
        order: every node id, each after all nodes before it; ties keep the order of the definition.
        starts: ids without an incoming edge. ends: ids without an outgoing one.
    """

    def __init__(self, flow: FlowDefinition) -> None:
        self._incoming: dict[str, list[Edge]] = defaultdict(list)
        self._outgoing: dict[str, list[Edge]] = defaultdict(list)
        for edge in flow.edges:
            self._incoming[edge.target].append(edge)
            self._outgoing[edge.source].append(edge)
        ids = [node.id for node in flow.nodes]
        self.order = tuple(sort_nodes(ids, flow.edges))
        self.starts = tuple(node_id for node_id in ids if node_id not in self._incoming)
        self.ends = tuple(node_id for node_id in ids if node_id not in self._outgoing)

    def incoming(self, node_id: str) -> tuple[Edge, ...]:
        """The edges that lead to the node."""
        return tuple(self._incoming.get(node_id, ()))

    def outgoing(self, node_id: str) -> tuple[Edge, ...]:
        """The edges that leave the node."""
        return tuple(self._outgoing.get(node_id, ()))

    def ancestors(self, node_id: str) -> frozenset[str]:
        """Every node from which some path leads to this one."""
        found: set[str] = set()
        pending = [node_id]
        while pending:
            new = {edge.source for edge in self.incoming(pending.pop())} - found
            found |= new
            pending.extend(new)
        return frozenset(found)


def sort_nodes(node_ids: Iterable[str], edges: Iterable[Edge]) -> list[str]:
    """Kahn's order of the nodes; nodes on a cycle, and those behind one, are left out."""
    waiting = dict.fromkeys(node_ids, 0)
    targets: dict[str, list[str]] = defaultdict(list)
    for edge in edges:
        waiting[edge.target] += 1
        targets[edge.source].append(edge.target)
    ready = deque(node_id for node_id, count in waiting.items() if count == 0)
    order: list[str] = []
    while ready:
        order.append(node_id := ready.popleft())
        for target in targets[node_id]:
            waiting[target] -= 1
            if waiting[target] == 0:
                ready.append(target)
    return order


def find_cycle(node_ids: Iterable[str], edges: Iterable[Edge]) -> list[str] | None:
    """One cycle as a path that ends where it began (`a, b, a`), or None. Every edge must join two of `node_ids`."""
    ids, all_edges = list(node_ids), list(edges)
    stuck = set(ids) - set(sort_nodes(ids, all_edges))
    if not stuck:
        return None
    before = {edge.target: edge.source for edge in all_edges if edge.source in stuck and edge.target in stuck}
    node_id = next(each for each in ids if each in before)
    path: list[str] = []
    while node_id not in path:  # every stuck node has a stuck one before it, so walking backwards must come round
        path.append(node_id)
        node_id = before[node_id]
    return [node_id, *reversed(path[path.index(node_id) :])]
