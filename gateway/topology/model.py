"""Who depends on whom: nodes, edges and what a failure reaches. Frozen values, no I/O."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

MAX_DEPTH = 16
DEFAULT_DEPTH = 8


class NodeKind(StrEnum):
    """What can break."""

    SERVICE = "service"
    FLOW = "flow"
    DATABASE = "database"


class Origin(StrEnum):
    """Who said so. A refresh replaces what one origin said and leaves the others' word alone."""

    REGISTRATIONS = "registrations"
    FLOWS = "flows"
    GATEWAY = "gateway"


@dataclass(frozen=True, slots=True, order=True)
class NodeRef:
    """A node by what identifies it: its kind and its name (of a flow: its id)."""

    kind: NodeKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """`source` depends on `target`: when the target breaks, the source does. `relation` says how (`calls`, `prerequisite`, …)."""

    source: NodeRef
    target: NodeRef
    relation: str = "depends_on"


@dataclass(frozen=True, slots=True)
class Node:
    """A node as somebody declared it; `known` is False when others only point at it."""

    ref: NodeRef
    title: str = ""
    known: bool = True


@dataclass(frozen=True, slots=True)
class Graph:
    """What one origin says: nodes and edges. Nodes that edges name but nobody declared are added as unknown ones by the store."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class TopologyView:
    """The whole graph, sorted. `refreshed_at`: the oldest origin's last refresh; None when it was never fed."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    served_by: str
    refreshed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Affected:
    """One node that breaks too. `path` leads from the broken node to it, both included; `distance` = edges on it."""

    node: NodeRef
    distance: int
    path: tuple[NodeRef, ...]


@dataclass(frozen=True, slots=True)
class Impact:
    """What breaks when `root` breaks, nearest first. `truncated`: something lies deeper than `depth`."""

    root: NodeRef
    depth: int
    affected: tuple[Affected, ...]
    truncated: bool
    served_by: str


def shortest_paths(root: NodeRef, distances: Mapping[NodeRef, int], edges: Iterable[Edge]) -> tuple[Affected, ...]:
    """One shortest path to each reached node; of several equally short ones the first by name, so that every engine answers alike.

    Args:
        distances: edges between the root and each reached node, the root excluded.
        edges: every edge between reached nodes and the root; others are ignored.
    """
    all_distances = {root: 0, **distances}
    reached_from: dict[NodeRef, list[NodeRef]] = defaultdict(list)
    for edge in edges:
        if all_distances.get(edge.source, -1) == all_distances.get(edge.target, -1) + 1 and edge.target in all_distances:
            reached_from[edge.source].append(edge.target)
    paths: dict[NodeRef, tuple[NodeRef, ...]] = {root: (root,)}
    for node in sorted(distances, key=lambda ref: (distances[ref], ref)):
        paths[node] = (*min(paths[before] for before in reached_from[node]), node)
    return tuple(Affected(node, distances[node], paths[node]) for node in paths if node != root)
