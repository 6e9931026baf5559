"""What only the graph in ArangoDB can run into."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from config.databases import ArangoSettings
from gateway.databases.arangodb import ArangoDB
from gateway.databases.errors import DatabaseError
from gateway.recovery.breaker_model import BreakerState
from gateway.recovery.registry import Breakers
from gateway.topology import arangodb as statements
from gateway.topology.arangodb import ArangoGraphStore
from gateway.topology.model import Edge, Graph, NodeKind, NodeRef, Origin
from gateway.topology.service import Topology
from tests.doubles.arango_graph import ArangoGraphDouble
from tests.fakes.clock import FakeClock
from tests.fakes.graph_store import InMemoryGraphStore

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SAID = Graph((), (Edge(NodeRef(NodeKind.SERVICE, "a"), NodeRef(NodeKind.SERVICE, "b")),))


@pytest.fixture
def double() -> Iterator[ArangoGraphDouble]:
    with ArangoGraphDouble() as started:
        yield started


@pytest.fixture
def store(double: ArangoGraphDouble) -> Iterator[ArangoGraphStore]:
    arangodb = ArangoDB(ArangoSettings.read({"ARANGO_URL": double.url}))
    yield ArangoGraphStore(arangodb.commands)
    arangodb.close()


def test_a_graph_that_was_lost_is_made_anew_by_the_next_refresh(double: ArangoGraphDouble, store: ArangoGraphStore) -> None:
    store.replace(Origin.REGISTRATIONS, SAID, NOW)
    double.graph = None  # another server in its place, with an empty disk
    with pytest.raises(DatabaseError):
        store.view()
    store.replace(Origin.REGISTRATIONS, SAID, NOW)
    assert store.view()[1] == SAID.edges


def test_refreshes_take_turns() -> None:
    texts = [text for name, text in vars(statements).items() if name.startswith(("KEEP_", "FORGET_"))]
    assert len(texts) == 6
    assert all("exclusive: true" in text for text in texts)


@pytest.mark.parametrize("statement", [statements.KEEP_NODES, statements.KEEP_EDGES, statements.FORGET_EDGES, statements.KEEP_REFRESH])
@pytest.mark.parametrize("number", [1200, 1210])
def test_a_refresh_that_met_a_conflict_is_made_up_for_by_the_next(
    double: ArangoGraphDouble, store: ArangoGraphStore, statement: str, number: int
) -> None:
    other, breakers = InMemoryGraphStore(), Breakers(FakeClock())
    topology = Topology([store, other], breakers)
    topology.learn(Origin.FLOWS, Graph((), ()), NOW)
    double.conflicts.append((statement, number))
    topology.learn(Origin.FLOWS, SAID, NOW + timedelta(minutes=1))
    assert double.conflicts == []
    assert other.view()[1] == SAID.edges
    assert breakers.of("database:arangodb").state() is BreakerState.CLOSED
    topology.catch_up()
    assert store.view() == other.view()
    assert store.refreshes() == other.refreshes()
