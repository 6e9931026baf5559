"""Topology: reading what others declare, feeding, asking, and the fallback."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.configuration.model import FlowFilters, FlowPage, Known, Service, Source
from gateway.databases.errors import DatabaseUnreachable
from gateway.errors import InvalidInput, Unavailable
from gateway.recovery.registry import Breakers
from gateway.topology.catalogue import RegistryCatalogue
from gateway.topology.errors import NodeNotFound
from gateway.topology.feeder import TopologyFeeder
from gateway.topology.model import PREFERS, Edge, Graph, Node, NodeKind, NodeRef, Origin, Reach, affected_by
from gateway.topology.reading import graph_of_flows, graph_of_gateway, graph_of_registrations
from gateway.topology.service import Topology
from tests.fakes.clock import FakeClock
from tests.fakes.graph_store import InMemoryGraphStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class OneInstance:
    metadata: Mapping[str, Any] = field(default_factory=dict)
    capabilities: Sequence[str] = ()


@dataclass
class OneService:
    name: str
    instances: Sequence[OneInstance] = ()


@dataclass
class KnownPlatform:
    """A catalogue with what the test put into it."""

    registered: list[OneService] = field(default_factory=list)
    documents: list[dict[str, Any]] = field(default_factory=list)
    registry_down: bool = False

    def services(self) -> list[OneService]:
        return self.registered

    def flow_documents(self) -> list[dict[str, Any]]:
        if self.registry_down:
            raise Unavailable("The registry does not answer")
        return self.documents


def ref(text: str) -> NodeRef:
    kind, _, name = text.partition(":")
    return NodeRef(NodeKind(kind), name)


def edges_of(graph: Graph) -> set[tuple[str, str, str]]:
    return {(str(edge.source), str(edge.target), edge.relation) for edge in graph.edges}


def declared(*depends_on: Any) -> set[tuple[str, str]]:
    graph = graph_of_registrations([OneService("shop", [OneInstance({"dependsOn": list(depends_on)})])])
    return {(str(edge.target), edge.relation) for edge in graph.edges}


@pytest.mark.parametrize(
    ("entry", "target"),
    [
        ("prices", ("service:prices", "depends_on")),
        ("postgres", ("database:postgres", "depends_on")),
        ("database:clickhouse", ("database:clickhouse", "depends_on")),
        ("flow:nightly", ("flow:nightly", "depends_on")),
        ({"kind": "service", "name": "prices"}, ("service:prices", "depends_on")),
        ({"type": "database", "name": "redis", "optional": True}, ("database:redis", "prefers")),
        ({"name": "prices"}, ("service:prices", "depends_on")),
        ("http://odd", ("service:http://odd", "depends_on")),
    ],
)
def test_registrations_say_on_whom_they_depend(entry: object, target: tuple[str, str]) -> None:
    assert declared(entry) == {target}


@pytest.mark.parametrize("entry", [None, 7, "", "shop", {"kind": "dream", "name": "x"}, {"kind": "service"}, ["x"], "x" * 300, "a\x00"])
def test_what_makes_no_sense_is_passed_over(entry: object) -> None:
    assert declared(entry) == set()


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
)
def test_no_registration_breaks_the_feeder(anything: Any) -> None:
    graph_of_registrations([OneService("shop", [OneInstance({"dependsOn": anything})])])
    graph_of_flows([{"id": "f", "nodes": anything, "dependencies": anything}], [], "api-gateway")


def test_flows_depend_on_services_flows_capabilities_and_the_gateway() -> None:
    document = {
        "id": "nightly",
        "name": "Nightly",
        "nodes": [
            {"id": "a", "type": "service", "config": {"service": "prices"}},
            {"id": "b", "type": "service", "config": {"service": "${parameters.where}"}},
            {"id": "c", "type": "transform", "config": {}},
            {"id": "d", "type": "summarise", "config": {}},
            {"id": "e", "type": "unheard_of", "config": {}},
        ],
        "dependencies": [{"flowId": "load", "type": "prerequisite"}],
    }
    writer = OneService("writer", [OneInstance(capabilities=["summarise"])])
    assert edges_of(graph_of_flows([document, {"id": None}], [writer], "api-gateway")) == {
        ("flow:nightly", "service:api-gateway", "run_by"),
        ("flow:nightly", "service:prices", "calls"),
        ("flow:nightly", "service:writer", "needs_capability"),
        ("flow:nightly", "flow:load", "prerequisite"),
    }


def test_the_gateways_databases_break_or_only_slow_it() -> None:
    assert edges_of(graph_of_gateway("api-gateway", {"postgres": True, "redis": False})) == {
        ("service:api-gateway", "service:configuration-service", PREFERS),
        ("service:api-gateway", "database:postgres", "stores_in"),
        ("service:api-gateway", "database:redis", PREFERS),
    }


def test_paths_are_shortest_and_first_by_name_and_a_fallback_only_degrades() -> None:
    pairs = [("service:b", "service:a"), ("service:c", "service:a"), ("service:d", "service:b"), ("service:d", "service:c")]
    edges = [Edge(ref(source), ref(target)) for source, target in pairs] + [Edge(ref("service:e"), ref("service:d"), PREFERS)]
    distances = {ref("service:b"): 1, ref("service:c"): 1, ref("service:d"): 2, ref("service:e"): 3}
    affected = affected_by(ref("service:a"), Reach(distances, tuple(edges), deeper=False))
    assert [(item.node.name, item.distance, [step.name for step in item.path], item.degraded) for item in affected] == [
        ("b", 1, ["a", "b"], False),
        ("c", 1, ["a", "c"], False),
        ("d", 2, ["a", "b", "d"], False),
        ("e", 3, ["a", "b", "d", "e"], True),
    ]


class TopologyBench:
    """A topology with two stores, and a feeder."""

    def __init__(self) -> None:
        self.first, self.second = InMemoryGraphStore("arangodb"), InMemoryGraphStore("postgres")
        self.clock = FakeClock(NOW)
        self.platform = KnownPlatform(
            [OneService("shop", [OneInstance({"dependsOn": ["prices", "postgres"]})])], [{"id": "f", "nodes": []}]
        )
        self.topology = Topology([self.first, self.second], Breakers(self.clock))
        self.feeder = TopologyFeeder(self.topology, self.platform, self.clock, gateway_name="api-gateway", databases={"postgres": True})


@pytest.fixture
def topology_bench() -> TopologyBench:
    return TopologyBench()


def test_what_breaks_when_postgres_breaks(topology_bench: TopologyBench) -> None:
    topology_bench.feeder.refresh()
    impact = topology_bench.topology.impact("database", "postgres")
    assert [(str(item.node), item.distance) for item in impact.affected] == [("service:api-gateway", 1), ("service:shop", 1), ("flow:f", 2)]
    assert (impact.truncated, impact.served_by) == (False, "arangodb")
    assert topology_bench.topology.impact("database", "postgres", depth=1).truncated


def test_both_stores_hold_everything_and_the_second_answers_when_the_first_is_down(topology_bench: TopologyBench) -> None:
    topology_bench.feeder.refresh()
    before = topology_bench.topology.view()
    topology_bench.first.down = True
    after = topology_bench.topology.view()
    assert (after.nodes, after.edges, after.served_by) == (before.nodes, before.edges, "postgres")


def test_a_store_that_is_better_not_waited_for_is_asked_last(topology_bench: TopologyBench) -> None:
    topology_bench.feeder.refresh()
    stores = [topology_bench.first, topology_bench.second]
    doubted = Topology(stores, Breakers(topology_bench.clock), lambda name: name == "arangodb")
    assert doubted.view().served_by == "postgres"
    topology_bench.second.down = True
    assert doubted.view().served_by == "arangodb"


def test_an_origin_that_cannot_be_asked_keeps_its_word(topology_bench: TopologyBench) -> None:
    topology_bench.feeder.refresh()
    topology_bench.platform.registry_down = True
    topology_bench.platform.registered = []
    topology_bench.clock.advance(60)
    topology_bench.feeder.refresh()
    view = topology_bench.topology.view()
    assert ref("flow:f") in {node.ref for node in view.nodes}
    assert ref("service:shop") not in {node.ref for node in view.nodes}
    assert view.refreshed_at == NOW


def test_a_store_that_was_configured_later_gets_what_the_other_remembers(topology_bench: TopologyBench) -> None:
    topology_bench.first.down = True
    topology_bench.feeder.refresh()
    topology_bench.first.down = False
    topology_bench.platform.registry_down = True
    topology_bench.clock.advance(60)
    topology_bench.feeder.refresh()
    assert topology_bench.first.graph_of(Origin.FLOWS) == topology_bench.second.graph_of(Origin.FLOWS)
    assert topology_bench.first.refreshes()[Origin.FLOWS] == NOW


def test_nobody_to_tell_or_to_ask_is_an_honest_503(topology_bench: TopologyBench) -> None:
    topology_bench.first.down = topology_bench.second.down = True
    with pytest.raises(Unavailable):
        topology_bench.feeder.refresh()
    with pytest.raises(DatabaseUnreachable):
        topology_bench.topology.view()


@pytest.mark.parametrize(("kind", "name"), [("service", "nobody"), ("planet", "mars"), ("service", "a\x00b")])
def test_an_unknown_node_is_not_found(topology_bench: TopologyBench, kind: str, name: str) -> None:
    topology_bench.first.replace(Origin.FLOWS, Graph((Node(ref("service:a")),), ()), NOW)
    with pytest.raises(NodeNotFound):
        topology_bench.topology.impact(kind, name)


@pytest.mark.parametrize("depth", [0, -1, 17])
def test_a_depth_out_of_bounds_is_refused(topology_bench: TopologyBench, depth: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        topology_bench.topology.impact("service", "a", depth)
    assert refused.value.errors[0].pointer == "?depth"


class PagedRegistry:
    """Two pages of active flows, one draft that is listed without its nodes."""

    def list_services(self) -> Known[tuple[Service, ...]]:
        return Known((Service("shop", "healthy", ()),), 0, False, Source.SERVICE)

    def list_flows(self, filters: FlowFilters, page: int, limit: int) -> Known[FlowPage]:
        assert filters == FlowFilters(), "without a status the list holds all that runs"
        listed: list[tuple[dict[str, Any], ...]] = [({"id": "a", "nodes": []},), ({"id": "b", "nodes": []}, {"id": "c"})]
        page_of_flows = FlowPage(listed[page - 1], page, 1, len(listed))
        return Known(page_of_flows, 0, False, Source.SERVICE)

    def get_document(self, flow_id: str) -> Known[dict[str, Any]]:
        return Known({"id": flow_id, "nodes": [{"type": "transform"}]}, 0, False, Source.MEMORY)


def test_the_catalogue_reads_every_page_of_every_runnable_status() -> None:
    registry = PagedRegistry()
    catalogue = RegistryCatalogue(registry, registry)
    assert [document["id"] for document in catalogue.flow_documents()] == ["a", "b", "c"]
    assert all("nodes" in document for document in catalogue.flow_documents())
    assert [service.name for service in catalogue.services()] == ["shop"]
