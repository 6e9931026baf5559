"""The dependency graph: reading it, and adding one edge to it."""

from functools import partial

from sqlalchemy import Connection, select

from configservice.database import Database
from configservice.flows.bodies import AddDependency
from configservice.flows.edges import insert_edges, neighbour, reachable_edges, refuse_cycle
from configservice.flows.model import DependencyGraph, Neighbour
from configservice.flows.store import get_flow
from configservice.reading import InvalidRequest
from configservice.tables import NOW, flow_dependencies, flows
from gateway.errors import Conflict
from gateway.flows.model import MAX_ITEMS
from gateway.flows.parsing import parse_flow

edges = flow_dependencies.c


class DependencyStore:
    """Who depends on whom."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get_graph(self, flow_id: str, *, recursive: bool) -> DependencyGraph:
        """The flow, what it depends on (and what that depends on, when recursive), and who depends on it directly.

        Raises:
            NotFound.
        """
        return self._database.read(partial(_graph, flow_id=flow_id, recursive=recursive))

    def add(self, flow_id: str, body: AddDependency) -> None:
        """Add a dependency to a flow; its definition shows it from now on.

        Raises:
            NotFound: the flow. InvalidRequest: the other flow does not exist, or the flow would depend on itself. Conflict: it has it.
        """
        self._database.write(partial(_add, flow_id=flow_id, body=body))


def _graph(connection: Connection, flow_id: str, recursive: bool) -> DependencyGraph:
    flow = get_flow(connection, flow_id)
    return DependencyGraph(flow, reachable_edges(connection, [flow_id], recursive=recursive), _dependents(connection, flow_id))


def _dependents(connection: Connection, flow_id: str) -> tuple[Neighbour, ...]:
    columns = (edges.depends_on_flow_id, edges.flow_id, flows.c.name, flows.c.type, flows.c.status)
    statement = select(*columns, edges.dependency_type, edges.condition, edges.timeout_ms).join(flows, flows.c.id == edges.flow_id)
    rows = connection.execute(statement.where(edges.depends_on_flow_id == flow_id).order_by(edges.flow_id))
    return tuple(neighbour(row) for row in rows)


def _add(connection: Connection, flow_id: str, body: AddDependency) -> None:
    flow = get_flow(connection, flow_id, lock=True)
    target = body.depends_on_flow_id
    if not connection.execute(select(flows.c.id).where(flows.c.id == target)).one_or_none():
        raise InvalidRequest.of(f"No flow has the id {target!r}", "dependsOnFlowId", kind="any.only")
    known = flow.document.get("dependencies", [])
    if any(each["flowId"] == target for each in known):
        raise Conflict(f"The flow {flow_id!r} depends on {target!r} already")
    if len(known) >= MAX_ITEMS:
        raise InvalidRequest.of(f"A flow may have {MAX_ITEMS} dependencies at the most", "dependsOnFlowId", kind="array.max")
    document = {**flow.document, "dependencies": [*known, body.to_document()]}
    added = parse_flow(document).dependencies[-1]  # it must stay a definition that the language reads
    refuse_cycle(connection, flow_id, [target], "dependsOnFlowId")
    insert_edges(connection, flow_id, [added], first_position=len(known))
    connection.execute(flows.update().where(flows.c.id == flow_id).values(document=document, updated_at=NOW))
