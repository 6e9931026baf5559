"""Who depends on whom: nodes, edges and what a failure reaches. Frozen values, no I/O."""

from collections import defaultdict
from collections.abc import Mapping
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


PREFERS = "prefers"


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """`source` depends on `target`: when the target breaks, the source does.

    `relation` says how (`calls`, `prerequisite`, …); `prefers` means that a fallback stands in: the source only degrades.
    """

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
    """One node that a failure reaches.

    Attributes:
        path: a shortest one from the broken node to this, both included; `distance` = edges on it.
        degraded: every way to it crosses a fallback: it works on, slower or with older data.
    """

    node: NodeRef
    distance: int
    path: tuple[NodeRef, ...]
    degraded: bool = False


@dataclass(frozen=True, slots=True)
class Reach:
    """What a store found going against the edges from a node: its distance to each reached node, and the edges between them all.

    `deeper`: something lies one step beyond the depth asked for.
    """

    distances: Mapping[NodeRef, int]
    edges: tuple[Edge, ...]
    deeper: bool


@dataclass(frozen=True, slots=True)
class Impact:
    """What breaks, or degrades, when `root` breaks, nearest first. `truncated`: something lies deeper than `depth`."""

    root: NodeRef
    depth: int
    affected: tuple[Affected, ...]
    truncated: bool
    served_by: str


def affected_by(root: NodeRef, reach: Reach) -> tuple[Affected, ...]:
    """Everything reached, nearest first, with one shortest path each.

    Of equally short ones the first by name, so that every engine answers alike.
    """
    distances = {root: 0, **reach.distances}
    reached_from: dict[NodeRef, list[NodeRef]] = defaultdict(list)
    dependants: dict[NodeRef, list[NodeRef]] = defaultdict(list)
    for edge in reach.edges:
        if edge.source in distances and edge.target in distances:
            if distances[edge.source] == distances[edge.target] + 1:
                reached_from[edge.source].append(edge.target)
            if edge.relation != PREFERS:
                dependants[edge.target].append(edge.source)
    broken = _reachable(root, dependants)
    paths: dict[NodeRef, tuple[NodeRef, ...]] = {root: (root,)}
    for node in sorted(reach.distances, key=lambda ref: (distances[ref], ref)):
        paths[node] = (*min(paths[before] for before in reached_from[node]), node)
    return tuple(Affected(node, distances[node], path, node not in broken) for node, path in paths.items() if node != root)


def _reachable(root: NodeRef, dependants: Mapping[NodeRef, list[NodeRef]]) -> set[NodeRef]:
    found, waiting = {root}, [root]
    while waiting:
        for node in dependants.get(waiting.pop(), ()):
            if node not in found:
                found.add(node)
                waiting.append(node)
    return found
