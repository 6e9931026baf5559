"""What every graph store must do, on the same data with the same answers."""

import random
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from config.databases import ArangoSettings, PostgresSettings
from gateway.configuration.model import Instance, Service
from gateway.databases.arangodb import ArangoDB
from gateway.databases.postgres import Postgres
from gateway.topology.arangodb import GRAPH, ArangoGraphStore
from gateway.topology.model import Edge, Graph, Node, NodeKind, NodeRef, Origin, affected_by
from gateway.topology.ports import GraphStore
from gateway.topology.postgres import PostgresGraphStore
from gateway.topology.reading import NAME_LIMIT, graph_of_flows, graph_of_registrations
from tests.doubles.arango_graph import ArangoGraphDouble
from tests.fakes.graph_store import InMemoryGraphStore

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EMPTY = Graph((), ())


def service(name: str) -> NodeRef:
    return NodeRef(NodeKind.SERVICE, name)


def graph(*edges: tuple[str, str]) -> Graph:
    """`("a", "b")`: a depends on b."""
    names = sorted({name for edge in edges for name in edge})
    return Graph(
        tuple(Node(service(name), name.title()) for name in names),
        tuple(Edge(service(source), service(target)) for source, target in edges),
    )


def random_graph(seed: int, nodes: int = 25, edges: int = 60) -> Graph:
    """With cycles, diamonds, several relations and nodes that nobody declared."""
    dice = random.Random(seed)
    refs = [NodeRef(dice.choice(list(NodeKind)), f"n {number} ü/'\"") for number in range(nodes)]
    drawn = {Edge(*dice.sample(refs, 2), dice.choice(["calls", "prefers", "prerequisite"])) for _ in range(edges)}
    return Graph(tuple(Node(ref, f"title of {ref.name}") for ref in refs[: nodes // 2]), tuple(drawn))


@pytest.fixture
def postgres_graph_store(postgres_url: str) -> Iterator[PostgresGraphStore]:
    postgres = Postgres(PostgresSettings.read({"DATABASE_URL": postgres_url}))
    yield PostgresGraphStore(postgres.transaction)
    postgres.close()


@pytest.fixture
def arangodb_graph_store(real_arangodb_environment: dict[str, str] | None) -> Iterator[ArangoGraphStore]:
    with ExitStack() as stack:
        environment = real_arangodb_environment or {"ARANGO_URL": stack.enter_context(ArangoGraphDouble()).url}
        arangodb = ArangoDB(ArangoSettings.read(environment))
        stack.callback(arangodb.close)
        yield ArangoGraphStore(arangodb.commands)
        with arangodb.commands() as database:
            database.delete_graph(GRAPH, ignore_missing=True, drop_collections=True)


@pytest.fixture(params=["memory", "postgres", "arangodb"])
def graph_store(request: pytest.FixtureRequest) -> GraphStore:
    if request.param == "memory":
        return InMemoryGraphStore()
    store: GraphStore = request.getfixturevalue(f"{request.param}_graph_store")
    return store


def names_reached(store: GraphStore, root: str, depth: int) -> dict[str, int]:
    reach = store.reach(service(root), depth)
    assert reach is not None
    return {ref.name: distance for ref, distance in reach.distances.items()}


def test_an_empty_store_knows_nobody(graph_store: GraphStore) -> None:
    assert graph_store.view() == ((), ())
    assert graph_store.reach(service("a"), 3) is None
    assert graph_store.refreshes() == {}
    assert graph_store.graph_of(Origin.FLOWS) == EMPTY


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_store_answers_alike(graph_store: GraphStore, seed: int) -> None:
    reference = InMemoryGraphStore()
    for store in (graph_store, reference):
        store.replace(Origin.FLOWS, random_graph(seed), NOW)
        store.replace(Origin.REGISTRATIONS, random_graph(seed + 10), NOW + timedelta(seconds=1))
    assert graph_store.view() == reference.view()
    assert graph_store.refreshes() == reference.refreshes()
    for origin in Origin:
        assert graph_store.graph_of(origin) == reference.graph_of(origin)
    for node in reference.view()[0]:
        for depth in (1, 2, 16):
            found, expected = graph_store.reach(node.ref, depth), reference.reach(node.ref, depth)
            assert found is not None
            assert expected is not None
            assert (found.distances, found.deeper) == (expected.distances, expected.deeper)
            assert set(found.edges) == set(expected.edges)
            assert affected_by(node.ref, found) == affected_by(node.ref, expected)


def test_depth_limits_and_says_so(graph_store: GraphStore) -> None:
    graph_store.replace(Origin.FLOWS, graph(("b", "a"), ("c", "b"), ("d", "c")), NOW)
    assert names_reached(graph_store, "a", 2) == {"b": 1, "c": 2}
    near, far = graph_store.reach(service("a"), 2), graph_store.reach(service("a"), 3)
    assert near is not None
    assert far is not None
    assert (near.deeper, far.deeper) == (True, False)


def test_a_cycle_ends(graph_store: GraphStore) -> None:
    graph_store.replace(Origin.FLOWS, graph(("a", "b"), ("b", "c"), ("c", "a")), NOW)
    assert names_reached(graph_store, "a", 16) == {"c": 1, "b": 2}


def test_a_new_word_replaces_the_old_one_of_the_same_origin_only(graph_store: GraphStore) -> None:
    graph_store.replace(Origin.FLOWS, graph(("a", "b")), NOW)
    graph_store.replace(Origin.REGISTRATIONS, graph(("a", "b"), ("c", "b")), NOW)
    graph_store.replace(Origin.FLOWS, graph(("a", "d")), NOW + timedelta(minutes=1))
    assert graph_store.graph_of(Origin.FLOWS) == graph(("a", "d"))
    assert names_reached(graph_store, "b", 1) == {"a": 1, "c": 1}
    graph_store.replace(Origin.REGISTRATIONS, EMPTY, NOW)
    assert graph_store.reach(service("b"), 1) is None
    assert graph_store.refreshes()[Origin.FLOWS] == NOW + timedelta(minutes=1)


def test_saying_it_twice_changes_nothing(graph_store: GraphStore) -> None:
    for _ in range(2):
        graph_store.replace(Origin.FLOWS, random_graph(4), NOW)
    assert graph_store.graph_of(Origin.FLOWS) == as_kept(random_graph(4))


def as_kept(said: Graph) -> Graph:
    store = InMemoryGraphStore()
    store.replace(Origin.FLOWS, said, NOW)
    return store.graph_of(Origin.FLOWS)


def test_a_node_that_only_an_edge_names_is_there_but_not_known(graph_store: GraphStore) -> None:
    graph_store.replace(Origin.FLOWS, Graph((Node(service("a"), "A"),), (Edge(service("a"), service("ghost")),)), NOW)
    nodes, _ = graph_store.view()
    assert [(node.ref.name, node.known) for node in nodes] == [("a", True), ("ghost", False)]
    assert names_reached(graph_store, "ghost", 1) == {"a": 1}


def test_a_foreign_registrys_texts_can_be_kept(graph_store: GraphStore) -> None:
    odd = "\x00 Preise\x00 \U0001f4b6"
    prices = Service(odd, "healthy", (Instance("10.0.0.1", 80, capabilities=("sum\x00",), metadata={"dependsOn": ["b\x00", "c"]}),))
    flow = {"id": "f", "name": odd * 99, "nodes": [{"type": "sum\x00"}], "dependencies": [{"flowId": "g", "type": odd * 99}]}
    graph_store.replace(Origin.REGISTRATIONS, graph_of_registrations([prices, replace(prices, name="\x00")]), NOW)
    graph_store.replace(Origin.FLOWS, graph_of_flows([flow], [prices], "api-gateway"), NOW)
    nodes, edges = graph_store.view()
    assert {node.ref.name for node in nodes} == {" Preise \U0001f4b6", "api-gateway", "c", "f", "g"}
    assert not any("\x00" in node.title for node in nodes)
    assert {edge.relation for edge in edges} == {"depends_on", "needs_capability", "run_by", (" Preise \U0001f4b6" * 8)[:64]}


def test_the_longest_names_can_be_kept(graph_store: GraphStore) -> None:
    dice = random.Random(7)
    name, other = ("".join(chr(0x1F300 + dice.randrange(600)) for _ in range(NAME_LIMIT)) for _ in range(2))
    flow = {"id": name, "name": name, "dependencies": [{"flowId": other, "type": name}]}
    graph_store.replace(Origin.FLOWS, graph_of_flows([flow], [], "api-gateway"), NOW)
    assert len(graph_store.view()[1]) == 2


def test_ten_thousand_edges_can_be_forgotten_at_once(postgres_graph_store: PostgresGraphStore) -> None:
    edges = tuple(Edge(NodeRef(NodeKind.FLOW, f"flow-{number}"), service(f"service-{number % 50}"), "calls") for number in range(10_000))
    postgres_graph_store.replace(Origin.FLOWS, Graph((), edges), NOW)
    postgres_graph_store.replace(Origin.FLOWS, EMPTY, NOW)
    assert postgres_graph_store.view() == ((), ())


def test_a_dense_graph_does_not_explode(graph_store: GraphStore) -> None:
    names = [f"n{number}" for number in range(40)]
    graph_store.replace(Origin.FLOWS, graph(*((a, b) for a in names for b in names if a != b)), NOW)
    assert set(names_reached(graph_store, "n0", 16).values()) == {1}
