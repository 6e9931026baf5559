"""Topology: who depends on whom, and what breaks when something does."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

import structlog

from gateway.errors import FieldError, GatewayError, InvalidInput, Unavailable
from gateway.recovery.guards import Doubts, nobody_doubts
from gateway.recovery.registry import Breakers
from gateway.targets import database_target
from gateway.topology.errors import NodeNotFound
from gateway.topology.model import (
    DEFAULT_DEPTH,
    MAX_DEPTH,
    Graph,
    Impact,
    NodeKind,
    NodeRef,
    Origin,
    TopologyView,
    affected_by,
)
from gateway.topology.ports import GraphStore

log = structlog.get_logger(__name__)
T = TypeVar("T")


class Topology:
    """What others call. Questions go to the first store that answers; what is learned goes to all of them.

    Args:
        stores: first choice first.
        doubts: whether a store is better not waited for; then it is asked last.
    """

    def __init__(self, stores: Sequence[GraphStore], breakers: Breakers, doubts: Doubts = nobody_doubts) -> None:
        self._stores = tuple(stores)
        self._breakers = breakers
        self._doubts = doubts

    def view(self) -> TopologyView:
        """The whole graph.

        Raises:
            Unavailable: no store answers (DatabaseUnreachable, BreakerOpen).
        """

        def look(store: GraphStore) -> TopologyView:
            nodes, edges = store.view()
            refreshes = store.refreshes()
            return TopologyView(nodes, edges, store.name, min(refreshes.values()) if refreshes else None)

        return self._ask(look)

    def impact(self, kind: str, name: str, depth: int = DEFAULT_DEPTH) -> Impact:
        """What breaks when this breaks.

        Args:
            depth: edges followed at the most, 1 to 16.
        Raises:
            InvalidInput: the depth is out of bounds.
            NodeNotFound: no such node; unknown kinds count as such.
            Unavailable: as `view`.
        """
        if not 1 <= depth <= MAX_DEPTH:
            raise InvalidInput("The depth is out of bounds", [FieldError("?depth", f"must be 1 to {MAX_DEPTH}")])
        if kind not in set(NodeKind) or "\x00" in name:
            raise NodeNotFound(kind, name)
        root = NodeRef(NodeKind(kind), name)

        def walk(store: GraphStore) -> Impact:
            reach = store.reach(root, depth)
            if reach is None:
                raise NodeNotFound(kind, name)
            return Impact(root, depth, affected_by(root, reach), reach.deeper, store.name)

        return self._ask(walk)

    def learn(self, origin: Origin, graph: Graph, at: datetime) -> None:
        """Keep what an origin says now, in every store that answers.

        Raises:
            Unavailable: no store took it.
        """
        self._tell_all(lambda store: store.replace(origin, graph, at))

    def catch_up(self) -> None:
        """Give a store that missed an origin's last word (it was down, or configured later) what another one remembers."""
        remembered = {
            store: seen for store in self._stores if (seen := self._attempt(store, lambda chosen: chosen.refreshes())) is not None
        }
        for origin in Origin:
            told = {store: seen[origin] for store, seen in remembered.items() if origin in seen}
            if not told:
                continue
            holder = max(told, key=lambda store: told[store])
            lacking = [store for store in remembered if store not in told or told[store] < told[holder]]
            if lacking:
                self._copy(origin, holder, told[holder], lacking)

    def _copy(self, origin: Origin, holder: GraphStore, at: datetime, lacking: Sequence[GraphStore]) -> None:
        graph = self._attempt(holder, lambda store: store.graph_of(origin))
        if graph is None:
            return
        for store in lacking:
            if self._tell(store, lambda chosen: chosen.replace(origin, graph, at)):
                log.info("topology_copied", origin=origin.value, from_store=holder.name, to_store=store.name)

    def _tell_all(self, action: Callable[[GraphStore], None]) -> None:
        took = [store.name for store in self._stores if self._tell(store, action)]
        if not took:
            raise Unavailable("No store of the topology answers", retry_after_seconds=5)

    def _tell(self, store: GraphStore, action: Callable[[GraphStore], None]) -> bool:
        def act(chosen: GraphStore) -> bool:
            action(chosen)
            return True

        return self._attempt(store, act) is True

    def _attempt(self, store: GraphStore, action: Callable[[GraphStore], T]) -> T | None:
        """What the action gives; None when the store does not answer."""
        try:
            with self._breakers.of(database_target(store.name)).guard():
                return action(store)
        except GatewayError as error:
            log.warning("topology_store_failed", store=store.name, error=type(error).__name__, code=error.code)
            return None

    def _ask(self, question: Callable[[GraphStore], T]) -> T:
        failure: GatewayError = Unavailable("The topology has no store")
        for store in sorted(self._stores, key=lambda each: self._doubts(each.name)):
            try:
                with self._breakers.of(database_target(store.name)).guard():
                    return question(store)
            except NodeNotFound:
                raise
            except GatewayError as error:
                failure = error
        raise failure
