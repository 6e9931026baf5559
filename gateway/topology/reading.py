"""What registrations and flow documents say about dependencies. Pure, and forgiving: other teams write these by hand."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from gateway.databases.model import DatabaseName
from gateway.flows.node_config import NodeKind as BuiltInNode
from gateway.topology.model import PREFERS, Edge, Graph, Node, NodeKind, NodeRef
from gateway.topology.ports import DeclaredService

CONFIGURATION_SERVICE = "configuration-service"
NAME_LIMIT = 255
RELATION_LIMIT = 64  # it stands in a key beside two names, and an index entry of PostgreSQL takes about 2,700 bytes
DECLARED_LIMIT = 200  # dependencies that one instance may declare


def graph_of_registrations(services: Iterable[DeclaredService]) -> Graph:
    """Services, and what their instances' `metadata.dependsOn` names.

    An entry is `"prices"` (a service; or a database by its name), `"database:postgres"`, or `{"kind", "name", "optional"}`;
    an optional dependency only degrades its dependant.
    """
    nodes: dict[NodeRef, Node] = {}
    edges: set[Edge] = set()
    for name, service in _named(services):
        source = NodeRef(NodeKind.SERVICE, name)
        nodes[source] = Node(source, name)
        for instance in service.instances:
            edges.update(Edge(source, target, relation) for target, relation in _declared(instance.metadata) if target != source)
    return Graph(tuple(nodes.values()), tuple(edges))


def graph_of_flows(documents: Iterable[Mapping[str, Any]], services: Sequence[DeclaredService], gateway: str) -> Graph:
    """Flows, and what they call, wait for and run on."""
    capable = _by_capability(services)
    nodes: dict[NodeRef, Node] = {}
    edges: set[Edge] = set()
    for document in documents:
        flow_id = document.get("id")
        if not _is_name(flow_id):
            continue
        source = NodeRef(NodeKind.FLOW, str(flow_id))
        nodes[source] = Node(source, _text(str(document.get("name") or "")))
        edges.add(Edge(source, NodeRef(NodeKind.SERVICE, gateway), "run_by"))
        edges.update(edge for edge in _flow_edges(source, document, capable) if edge.target != source)
    return Graph(tuple(nodes.values()), tuple(edges))


def graph_of_gateway(name: str, databases: Mapping[str, bool]) -> Graph:
    """The gateway's own: each configured database by its name, and whether the gateway cannot do without it."""
    gateway = NodeRef(NodeKind.SERVICE, name)
    configuration = NodeRef(NodeKind.SERVICE, CONFIGURATION_SERVICE)
    refs = {NodeRef(NodeKind.DATABASE, database): critical for database, critical in databases.items()}
    return Graph(
        nodes=tuple(Node(ref, ref.name) for ref in (gateway, configuration, *refs)),
        edges=(
            Edge(gateway, configuration, PREFERS),
            *(Edge(gateway, ref, "stores_in" if critical else PREFERS) for ref, critical in refs.items()),
        ),
    )


def _declared(metadata: Mapping[str, Any]) -> Iterator[tuple[NodeRef, str]]:
    listed = metadata.get("dependsOn")
    entries = [listed] if isinstance(listed, str | dict) else listed
    for entry in entries[:DECLARED_LIMIT] if isinstance(entries, list) else ():
        target = _target(entry)
        if target:
            optional = isinstance(entry, dict) and entry.get("optional") is True
            yield target, PREFERS if optional else "depends_on"


def _target(entry: object) -> NodeRef | None:
    if isinstance(entry, dict):
        kind, name = entry.get("kind") or entry.get("type"), entry.get("name")
        return _ref(str(kind), name) if kind else _target(name)
    if not isinstance(entry, str):
        return None
    kind, separator, name = entry.partition(":")
    if separator and kind in set(NodeKind):
        return _ref(kind, name)
    return _ref("database" if entry in set(DatabaseName) else "service", entry)


def _ref(kind: str, name: object) -> NodeRef | None:
    return NodeRef(NodeKind(kind), str(name)) if kind in set(NodeKind) and _is_name(name) else None


def _is_name(name: object) -> bool:
    return isinstance(name, str) and 0 < len(name) <= NAME_LIMIT and "\x00" not in name


def _text(text: str, limit: int = NAME_LIMIT) -> str:
    """Without U+0000, which PostgreSQL cannot hold: one such text would keep the whole origin from being written."""
    return text.replace("\x00", "")[:limit]


def _flow_edges(source: NodeRef, document: Mapping[str, Any], capable: Mapping[str, set[str]]) -> Iterator[Edge]:
    for node in _objects(document.get("nodes")):
        kind, config = node.get("type"), node.get("config")
        service = config.get("service") if isinstance(config, dict) else None
        if kind == BuiltInNode.SERVICE and _is_name(service) and "${" not in str(service):  # an expression is known only when the flow runs
            yield Edge(source, NodeRef(NodeKind.SERVICE, str(service)), "calls")
        elif isinstance(kind, str) and kind not in set(BuiltInNode):
            for name in capable.get(kind, ()):
                yield Edge(source, NodeRef(NodeKind.SERVICE, name), "needs_capability")
    for dependency in _objects(document.get("dependencies")):
        if _is_name(dependency.get("flowId")):
            said = dependency.get("type")
            relation = _text(said, RELATION_LIMIT) if isinstance(said, str) else ""
            yield Edge(source, NodeRef(NodeKind.FLOW, str(dependency["flowId"])), relation or "prerequisite")


def _objects(listed: object) -> Iterator[dict[str, Any]]:
    for item in listed if isinstance(listed, list | tuple) else ():
        if isinstance(item, dict):
            yield item


def _by_capability(services: Iterable[DeclaredService]) -> Mapping[str, set[str]]:
    capable: dict[str, set[str]] = {}
    for name, service in _named(services):
        for instance in service.instances:
            for word in instance.capabilities:
                capable.setdefault(word, set()).add(name)
    return capable


def _named(services: Iterable[DeclaredService]) -> Iterator[tuple[str, DeclaredService]]:
    """Each service by the name it has here; without one it is passed over."""
    for service in services:
        if name := _text(service.name):
            yield name, service
