"""What only the graph in ArangoDB can run into."""

from datetime import UTC, datetime

import pytest

from config.databases import ArangoSettings
from gateway.databases.arangodb import ArangoDB
from gateway.databases.errors import DatabaseError
from gateway.topology.arangodb import ArangoGraphStore
from gateway.topology.model import Edge, Graph, NodeKind, NodeRef, Origin
from tests.doubles.arango_graph import ArangoGraphDouble

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SAID = Graph((), (Edge(NodeRef(NodeKind.SERVICE, "a"), NodeRef(NodeKind.SERVICE, "b")),))


def test_a_graph_that_was_lost_is_made_anew_by_the_next_refresh() -> None:
    with ArangoGraphDouble() as double:
        arangodb = ArangoDB(ArangoSettings.read({"ARANGO_URL": double.url}))
        store = ArangoGraphStore(arangodb.commands)
        store.replace(Origin.REGISTRATIONS, SAID, NOW)
        double.graph = None  # another server in its place, with an empty disk
        with pytest.raises(DatabaseError):
            store.view()
        store.replace(Origin.REGISTRATIONS, SAID, NOW)
        assert store.view()[1] == SAID.edges
        arangodb.close()
