"""Who depends on whom, on the wire."""

from typing import Annotated, Self

from msgspec import Meta

from gateway.api.models.common import Moment, Query, Wire
from gateway.topology.model import DEFAULT_DEPTH, MAX_DEPTH, Impact, NodeKind, TopologyView


class ImpactQuery(Query, frozen=True):
    """How far to look."""

    depth: Annotated[int, Meta(ge=1, le=MAX_DEPTH, description="Edges followed at the most")] = DEFAULT_DEPTH


class RefShape(Wire, frozen=True):
    """What identifies a node."""

    kind: NodeKind
    name: str


class TopologyNodeShape(RefShape, frozen=True):
    """A node; `known` is false when others only point at it."""

    title: str
    known: bool


class TopologyEdgeShape(Wire, frozen=True):
    """`source` depends on `target`."""

    source: RefShape
    target: RefShape
    relation: str


class TopologyShape(Wire, frozen=True):
    """The whole graph."""

    nodes: list[TopologyNodeShape]
    edges: list[TopologyEdgeShape]
    served_by: str
    refreshed_at: Moment | None

    @classmethod
    def of(cls, view: TopologyView) -> Self:
        """From the graph to the wire."""
        return cls(
            nodes=[TopologyNodeShape(kind=node.ref.kind, name=node.ref.name, title=node.title, known=node.known) for node in view.nodes],
            edges=[TopologyEdgeShape.made_from(edge) for edge in view.edges],
            served_by=view.served_by,
            refreshed_at=view.refreshed_at,
        )


class AffectedShape(RefShape, frozen=True):
    """One node that the failure reaches, and the way there."""

    distance: int
    path: list[RefShape]
    degraded: Annotated[bool, Meta(description="A fallback stands in on every way there: it works on, slower or with older data")]


class ImpactShape(Wire, frozen=True):
    """What breaks or degrades when this breaks, nearest first."""

    kind: NodeKind
    name: str
    depth: int
    affected: list[AffectedShape]
    truncated: bool
    served_by: str

    @classmethod
    def of(cls, impact: Impact) -> Self:
        """From the walk to the wire."""
        affected = [
            AffectedShape(
                kind=item.node.kind,
                name=item.node.name,
                distance=item.distance,
                path=[RefShape.made_from(ref) for ref in item.path],
                degraded=item.degraded,
            )
            for item in impact.affected
        ]
        return cls(
            kind=impact.root.kind,
            name=impact.root.name,
            depth=impact.depth,
            affected=affected,
            truncated=impact.truncated,
            served_by=impact.served_by,
        )
