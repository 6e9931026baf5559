"""The service graph in ArangoDB: a named graph, walked by AQL traversal.

A vertex is a node with what each origin calls it (`titles`); an edge document is one origin's word. ArangoDB commits each statement by
itself: they stand in an order in which a refresh that breaks off leaves edges too many, never an edge to nowhere; the next one repairs it.
Those that write are `exclusive`: of two refreshes at once one waits, where else the slower would end with a write-write conflict (1200), or
with a document that exists since its UPSERT looked (1210). Readers wait for none.
Source: https://docs.arangodb.com/stable/aql/graphs/traversals/ ,
https://docs.arangodb.com/stable/aql/high-level-operations/upsert/#exclusive
"""

import hashlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from typing import Any

from gateway.databases.errors import StatementConflict
from gateway.databases.limits import FALLBACK_AFTER_SECONDS
from gateway.topology.model import Edge, Graph, Node, NodeKind, NodeRef, Origin, Reach

GRAPH = "gateway_topology"
NODES, EDGES, REFRESHES = "gateway_topology_nodes", "gateway_topology_edges", "gateway_topology_refreshes"

KEEP_NODES = """
FOR node IN @nodes
  UPSERT { _key: node._key }
  INSERT node
  UPDATE { titles: MERGE(OLD.titles, node.titles) }
  IN gateway_topology_nodes OPTIONS { exclusive: true }
"""
KEEP_EDGES = 'FOR edge IN @edges INSERT edge INTO gateway_topology_edges OPTIONS { overwriteMode: "ignore", exclusive: true }'
FORGET_EDGES = """
FOR edge IN gateway_topology_edges
  FILTER edge.origin == @origin AND edge._key NOT IN @keys
  REMOVE edge IN gateway_topology_edges OPTIONS { exclusive: true }
"""
FORGET_TITLES = """
FOR node IN gateway_topology_nodes
  FILTER HAS(node.titles, @origin) AND node._key NOT IN @keys
  UPDATE node WITH { titles: UNSET(node.titles, @origin) } IN gateway_topology_nodes OPTIONS { mergeObjects: false, exclusive: true }
"""
FORGET_NODES = """
FOR node IN gateway_topology_nodes
  FILTER LENGTH(node.titles) == 0
  FILTER LENGTH(FOR edge IN gateway_topology_edges FILTER edge._from == node._id OR edge._to == node._id LIMIT 1 RETURN 1) == 0
  REMOVE node IN gateway_topology_nodes OPTIONS { exclusive: true }
"""
KEEP_REFRESH = """
UPSERT { _key: @origin } INSERT { _key: @origin, at: @at } UPDATE { at: @at } IN gateway_topology_refreshes OPTIONS { exclusive: true }
"""
ALL_NODES = "FOR node IN gateway_topology_nodes RETURN { kind: node.kind, name: node.name, titles: node.titles }"
ALL_EDGES = "FOR edge IN gateway_topology_edges RETURN edge"
EDGES_OF_ORIGIN = "FOR edge IN gateway_topology_edges FILTER edge.origin == @origin RETURN edge"
ALL_REFRESHES = "FOR refresh IN gateway_topology_refreshes RETURN { origin: refresh._key, at: refresh.at }"
FIND_NODE = "FOR node IN gateway_topology_nodes FILTER node._key == @key RETURN node._id"
WALK = """
FOR node, edge, path IN 1..@depth INBOUND @root GRAPH @graph
  OPTIONS { order: "bfs", uniqueVertices: "global" }
  RETURN { id: node._id, kind: node.kind, name: node.name, distance: LENGTH(path.edges) }
"""
EDGES_AMONG = "FOR edge IN gateway_topology_edges FILTER edge._from IN @ids AND edge._to IN @ids RETURN edge"


class ArangoGraphStore:
    """Implements GraphStore.

    Args:
        commands: gateway.databases.arangodb.ArangoDB.commands: the driver's database, with one deadline over the calls of a block.
    """

    name = "arangodb"

    def __init__(self, commands: Callable[[float | None], AbstractContextManager[Any]]) -> None:
        self._commands = commands
        self._prepared = False

    def replace(self, origin: Origin, graph: Graph, at: datetime) -> None:
        named = {ref for edge in graph.edges for ref in (edge.source, edge.target)}
        titles = {node.ref: node.title for node in graph.nodes}
        edges = [_edge_document(edge, origin) for edge in graph.edges]
        self._prepared = False  # it may have lost its disk since: each refresh looks anew
        with self._database() as database:
            _run(database, KEEP_NODES, nodes=[_node_document(ref, titles.get(ref), origin) for ref in sorted(named | titles.keys())])
            _run(database, KEEP_EDGES, edges=edges)
            _run(database, FORGET_EDGES, origin=origin.value, keys=[edge["_key"] for edge in edges])
            _run(database, FORGET_TITLES, origin=origin.value, keys=[_key(ref) for ref in titles])
            _run(database, FORGET_NODES)
            _run(database, KEEP_REFRESH, origin=origin.value, at=at.isoformat())

    def graph_of(self, origin: Origin) -> Graph:
        with self._database() as database:
            nodes = _run(database, ALL_NODES)
            edges = _run(database, EDGES_OF_ORIGIN, origin=origin.value)
        own = [Node(_ref(node), node["titles"][origin.value]) for node in nodes if origin.value in node["titles"]]
        return Graph(tuple(sorted(own, key=lambda node: node.ref)), tuple(sorted(map(_edge, edges))))

    def refreshes(self) -> Mapping[Origin, datetime]:
        with self._database(FALLBACK_AFTER_SECONDS) as database:
            return {Origin(item["origin"]): datetime.fromisoformat(item["at"]) for item in _run(database, ALL_REFRESHES)}

    def view(self) -> tuple[tuple[Node, ...], tuple[Edge, ...]]:
        with self._database(FALLBACK_AFTER_SECONDS) as database:
            nodes, edges = _run(database, ALL_NODES), _run(database, ALL_EDGES)
        seen = [Node(_ref(node), max(node["titles"].values(), default=""), bool(node["titles"])) for node in nodes]
        return tuple(sorted(seen, key=lambda node: node.ref)), tuple(sorted(set(map(_edge, edges))))

    def reach(self, root: NodeRef, depth: int) -> Reach | None:
        with self._database(FALLBACK_AFTER_SECONDS) as database:
            start = next(iter(_run(database, FIND_NODE, key=_key(root))), None)
            if start is None:
                return None
            walked = _run(database, WALK, root=start, depth=depth + 1, graph=GRAPH)
            near = [item for item in walked if item["distance"] <= depth]
            edges = _run(database, EDGES_AMONG, ids=[start, *(item["id"] for item in near)])
        distances = {_ref(item): item["distance"] for item in near}
        return Reach(distances, tuple(sorted(set(map(_edge, edges)))), deeper=len(walked) > len(near))

    def _database(self, timeout_seconds: float | None = None) -> AbstractContextManager[Any]:
        if not self._prepared:
            with suppress(StatementConflict), self._commands(timeout_seconds) as database:  # another process made it meanwhile
                _prepare(database)
            self._prepared = True
        return self._commands(timeout_seconds)


def _prepare(database: Any) -> None:
    if not database.has_graph(GRAPH):
        definition = {"edge_collection": EDGES, "from_vertex_collections": [NODES], "to_vertex_collections": [NODES]}
        database.create_graph(GRAPH, edge_definitions=[definition], orphan_collections=[REFRESHES])


def _run(database: Any, statement: str, **bound: Any) -> list[Any]:
    return list(database.aql.execute(statement, bind_vars=bound))


def _key(ref: NodeRef) -> str:
    """A document key takes few characters and 254 bytes; names take all of them."""
    return f"{ref.kind.value}-{hashlib.blake2b(ref.name.encode(), digest_size=16).hexdigest()}"


def _node_document(ref: NodeRef, title: str | None, origin: Origin) -> dict[str, Any]:
    titles = {} if title is None else {origin.value: title}
    return {"_key": _key(ref), "kind": ref.kind.value, "name": ref.name, "titles": titles}


def _edge_document(edge: Edge, origin: Origin) -> dict[str, Any]:
    word = "\x1f".join((str(edge.source), str(edge.target), edge.relation, origin.value))
    return {
        "_key": hashlib.blake2b(word.encode(), digest_size=16).hexdigest(),
        "_from": f"{NODES}/{_key(edge.source)}",
        "_to": f"{NODES}/{_key(edge.target)}",
        "source": {"kind": edge.source.kind.value, "name": edge.source.name},
        "target": {"kind": edge.target.kind.value, "name": edge.target.name},
        "relation": edge.relation,
        "origin": origin.value,
    }


def _ref(document: Mapping[str, Any]) -> NodeRef:
    return NodeRef(NodeKind(document["kind"]), document["name"])


def _edge(document: Mapping[str, Any]) -> Edge:
    return Edge(_ref(document["source"]), _ref(document["target"]), document["relation"])
