"""The dependencies of definitions as rows, and the one rule about them: no flow may come to depend on itself."""

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, func, select, text
from sqlalchemy.dialects.postgresql import insert

from configservice.database import AnyRow
from configservice.flows.model import Neighbour
from configservice.reading import InvalidRequest
from configservice.tables import flow_dependencies
from gateway.flows.model import Dependency, FlowDefinition
from gateway.shapes.reading import or_none

GRAPH_LOCK = 7_312_003  # any fixed number: two writers, each harmless alone, could close a cycle together
edges = flow_dependencies.c

# UNION drops what was reached before, so this ends even if there were a cycle.
REACHABLE = text("""
    WITH RECURSIVE reached(id) AS (
        SELECT unnest(CAST(:starts AS text[]))
        UNION
        SELECT edge.depends_on_flow_id
        FROM configservice.flow_dependencies AS edge JOIN reached ON edge.flow_id = reached.id
        WHERE :recursive
    )
    SELECT edge.flow_id, edge.depends_on_flow_id, flow.name, flow.type, flow.status, edge.dependency_type, edge.condition, edge.timeout_ms
    FROM configservice.flow_dependencies AS edge
    JOIN reached ON edge.flow_id = reached.id
    LEFT JOIN configservice.flows AS flow ON flow.id = edge.depends_on_flow_id
    ORDER BY edge.flow_id, edge.position
""")


def replace_edges(connection: Connection, flow: FlowDefinition) -> None:
    """Make the rows say what the definition says.

    Raises:
        InvalidRequest: the flow would depend on itself; the message shows the way round.
    """
    if flow.dependencies:
        refuse_cycle(connection, flow.id, [each.flow_id for each in flow.dependencies])
    connection.execute(flow_dependencies.delete().where(edges.flow_id == flow.id))
    insert_edges(connection, flow.id, flow.dependencies)


def insert_edges(connection: Connection, flow_id: str, dependencies: Iterable[Dependency], *, first_position: int = 0) -> None:
    """Add rows; of two dependencies on the same flow the first counts."""
    rows = [
        {
            "flow_id": flow_id,
            "depends_on_flow_id": each.flow_id,
            "position": position,
            "dependency_type": each.type,
            "condition": or_none(each.condition),
            "timeout_ms": or_none(each.timeout),
        }
        for position, each in enumerate(dependencies, first_position)
    ]
    if rows:
        connection.execute(insert(flow_dependencies).values(rows).on_conflict_do_nothing())


def refuse_cycle(connection: Connection, flow_id: str, targets: Collection[str], *path: str | int) -> None:
    """Hold the graph until the commit, and refuse targets from which some way leads back to the flow.

    Raises:
        InvalidRequest: names the way.
    """
    connection.execute(select(func.pg_advisory_xact_lock(GRAPH_LOCK)))
    graph = {source: [each.other_id for each in leaving] for source, leaving in reachable_edges(connection, targets).items()}
    way = find_way(graph, targets, flow_id)
    if way:
        shown = " -> ".join([flow_id, *way][:20])
        raise InvalidRequest.of(f"The flow would depend on itself: {shown}", *(path or ("dependencies",)), kind="dependency.cycle")


def reachable_edges(connection: Connection, starts: Collection[str], *, recursive: bool = True) -> dict[str, tuple[Neighbour, ...]]:
    """The edges that leave `starts`, and all further on when recursive, by the flow they leave and in its order. Cycles do no harm."""
    rows = connection.execute(REACHABLE, {"starts": list(starts), "recursive": recursive})
    found: dict[str, list[Neighbour]] = {}
    for row in rows:
        found.setdefault(row.flow_id, []).append(neighbour(row))
    return {flow_id: tuple(leaving) for flow_id, leaving in found.items()}


def neighbour(row: AnyRow) -> Neighbour:
    """A row as a value; `other_id` is the flow at the end that was asked about."""
    return Neighbour(*row)


def find_way(graph: dict[str, list[str]], starts: Collection[str], goal: str) -> list[str] | None:
    """A shortest way from one of `starts` to `goal`, both included; None when there is none."""
    ways = {start: [start] for start in starts}
    pending = list(ways)
    for node in pending:  # grows while it is walked: breadth first
        if node == goal:
            return ways[node]
        for target in graph.get(node, []):
            if target not in ways:
                ways[target] = [*ways[node], target]
                pending.append(target)
    return None
