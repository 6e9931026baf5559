"""A GraphStore in memory. It passes the same contract suite as the engines (tests/contract/topology)."""

from collections import deque
from collections.abc import Mapping
from datetime import datetime

from gateway.databases.errors import DatabaseUnreachable
from gateway.topology.model import Edge, Graph, Node, NodeRef, Origin, Reach


class InMemoryGraphStore:
    """Keeps what each origin said. `down` makes every call fail as an unreachable database does."""

    def __init__(self, name: str = "memory") -> None:
        self.name = name
        self.down = False
        self.said: dict[Origin, tuple[Graph, datetime]] = {}

    def replace(self, origin: Origin, graph: Graph, at: datetime) -> None:
        self._answer()
        self.said[origin] = (graph, at)

    def graph_of(self, origin: Origin) -> Graph:
        self._answer()
        graph = self.said[origin][0] if origin in self.said else Graph((), ())
        return Graph(tuple(sorted(graph.nodes, key=lambda node: node.ref)), tuple(sorted(graph.edges)))

    def refreshes(self) -> Mapping[Origin, datetime]:
        self._answer()
        return {origin: at for origin, (_, at) in self.said.items()}

    def view(self) -> tuple[tuple[Node, ...], tuple[Edge, ...]]:
        self._answer()
        edges = {edge for graph, _ in self.said.values() for edge in graph.edges}
        titles: dict[NodeRef, str] = {}
        for graph, _ in self.said.values():
            for node in graph.nodes:
                titles[node.ref] = max(titles.get(node.ref, ""), node.title)
        named = {ref for edge in edges for ref in (edge.source, edge.target)} | titles.keys()
        return tuple(Node(ref, titles.get(ref, ""), ref in titles) for ref in sorted(named)), tuple(sorted(edges))

    def reach(self, root: NodeRef, depth: int) -> Reach | None:
        nodes, edges = self.view()
        if root not in {node.ref for node in nodes}:
            return None
        distances, waiting = {root: 0}, deque([root])
        while waiting:
            here = waiting.popleft()
            for edge in edges:
                if edge.target == here and edge.source not in distances and distances[here] <= depth:
                    distances[edge.source] = distances[here] + 1
                    waiting.append(edge.source)
        near = {ref: distance for ref, distance in distances.items() if 0 < distance <= depth}
        among = near.keys() | {root}
        kept = tuple(edge for edge in edges if edge.source in among and edge.target in among)
        return Reach(near, kept, deeper=len(distances) > len(near) + 1)

    def _answer(self) -> None:
        if self.down:
            raise DatabaseUnreachable(self.name, "The store does not answer")
