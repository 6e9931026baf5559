"""What the service graph needs: a store of it, and those who know the platform."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from gateway.topology.model import Edge, Graph, Node, NodeRef, Origin, Reach


class GraphStore(Protocol):
    """Keeps the graph and walks it. Every method raises DatabaseError, never a vendor exception.

    One contract suite holds for every adapter (tests/contract/topology).
    """

    name: str

    def replace(self, origin: Origin, graph: Graph, at: datetime) -> None:
        """What `origin` says now; what it said before and no longer says is removed. Doing it again changes nothing but the time."""

    def graph_of(self, origin: Origin) -> Graph:
        """What `origin` said last, sorted; empty when it never spoke."""

    def refreshes(self) -> Mapping[Origin, datetime]:
        """When each origin last spoke."""

    def view(self) -> tuple[tuple[Node, ...], tuple[Edge, ...]]:
        """Every node and edge, sorted, each once however many origins name it. Nodes that only edges name are not `known`."""

    def reach(self, root: NodeRef, depth: int) -> Reach | None:
        """Who depends on `root`, directly or not, up to `depth` edges away; None when no such node exists."""


class DeclaredService(Protocol):
    """A registered service, as gateway.configuration.model.Service shows it."""

    @property
    def name(self) -> str: ...
    @property
    def instances(self) -> Sequence["DeclaredInstance"]: ...


class DeclaredInstance(Protocol):
    """One instance of it."""

    @property
    def capabilities(self) -> Sequence[str]: ...
    @property
    def metadata(self) -> Mapping[str, Any]: ...


class Catalogue(Protocol):
    """Those who know the platform: the Configuration Service and the Flow Registry. Raises GatewayError when they cannot be asked."""

    def services(self) -> Sequence[DeclaredService]:
        """Every registered service."""

    def flow_documents(self) -> Sequence[Mapping[str, Any]]:
        """Every flow that may run, as its document."""
