"""Keeps the graph fresh, in the background: rung by beat as a task, never from a request."""

from collections.abc import Callable, Mapping

import structlog

from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.topology.model import Graph, Origin
from gateway.topology.ports import Catalogue
from gateway.topology.reading import graph_of_flows, graph_of_gateway, graph_of_registrations
from gateway.topology.service import Topology

log = structlog.get_logger(__name__)


class TopologyFeeder:
    """Asks those who know and tells the topology.

    Args:
        gateway_name: the gateway's own name as a service.
        databases: each configured database's name, and whether it is critical.
    """

    def __init__(self, topology: Topology, catalogue: Catalogue, clock: Clock, *, gateway_name: str, databases: Mapping[str, bool]) -> None:
        self._topology = topology
        self._catalogue = catalogue
        self._clock = clock
        self._gateway_name = gateway_name
        self._databases = dict(databases)

    def refresh(self) -> None:
        """Ask everybody once. An origin that cannot be asked keeps what it said before. Doing it twice is harmless.

        Raises:
            Unavailable: no store of the topology answers.
        """
        self._topology.catch_up()
        self._topology.learn(Origin.GATEWAY, graph_of_gateway(self._gateway_name, self._databases), self._clock.now())
        self._learn_if_answered(Origin.REGISTRATIONS, lambda: graph_of_registrations(self._catalogue.services()))
        self._learn_if_answered(Origin.FLOWS, self._flows)

    def _flows(self) -> Graph:
        return graph_of_flows(self._catalogue.flow_documents(), self._catalogue.services(), self._gateway_name)

    def _learn_if_answered(self, origin: Origin, ask: Callable[[], Graph]) -> None:
        try:
            graph = ask()
        except GatewayError as error:
            log.warning("topology_origin_unavailable", origin=origin.value, error=type(error).__name__, code=error.code)
            return
        self._topology.learn(origin, graph, self._clock.now())
