"""The service graph in PostgreSQL: edge rows, walked by a recursive query.

Source: https://www.postgresql.org/docs/current/queries-with.html (UNION drops what was seen at the same distance: cycles end at the depth).
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from gateway.topology import tables
from gateway.topology.model import Edge, Graph, Node, NodeKind, NodeRef, Origin, Reach

LOCK = 7_312_005  # any fixed number: refreshes take turns
EDGE = tables.edges.c
Row = tuple[Any, ...]


class PostgresGraphStore:
    """Implements GraphStore. `transaction` is gateway.databases.postgres.Postgres.transaction."""

    name = "postgres"

    def __init__(self, transaction: Callable[[], AbstractContextManager[sa.Connection]]) -> None:
        self._transaction = transaction

    def replace(self, origin: Origin, graph: Graph, at: datetime) -> None:
        with self._transaction() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
            _change(
                connection, tables.nodes, origin, {(node.ref.kind.value, node.ref.name, origin.value, node.title) for node in graph.nodes}
            )
            _change(connection, tables.edges, origin, {_edge_row(edge, origin) for edge in graph.edges})
            statement = insert(tables.refreshes).values(origin=origin.value, refreshed_at=at)
            connection.execute(statement.on_conflict_do_update(index_elements=["origin"], set_={"refreshed_at": at}))

    def graph_of(self, origin: Origin) -> Graph:
        with self._transaction() as connection:
            nodes = connection.execute(sa.select(tables.nodes).where(tables.nodes.c.origin == origin.value)).all()
            edges = connection.execute(sa.select(tables.edges).where(EDGE.origin == origin.value)).all()
        return Graph(
            tuple(sorted((Node(NodeRef(NodeKind(row.kind), row.name), row.title) for row in nodes), key=lambda node: node.ref)),
            tuple(sorted(_edges(edges))),
        )

    def refreshes(self) -> Mapping[Origin, datetime]:
        with self._transaction() as connection:
            return {Origin(row.origin): row.refreshed_at for row in connection.execute(sa.select(tables.refreshes))}

    def view(self) -> tuple[tuple[Node, ...], tuple[Edge, ...]]:
        declared = sa.select(tables.nodes.c.kind, tables.nodes.c.name, sa.func.max(tables.nodes.c.title)).group_by(
            tables.nodes.c.kind, tables.nodes.c.name
        )
        with self._transaction() as connection:
            edges = tuple(sorted(set(_edges(connection.execute(sa.select(tables.edges))))))
            known = {NodeRef(NodeKind(kind), name): title for kind, name, title in connection.execute(declared)}
        named = {ref for edge in edges for ref in (edge.source, edge.target)} | known.keys()
        return tuple(Node(ref, known.get(ref, ""), ref in known) for ref in sorted(named)), edges

    def reach(self, root: NodeRef, depth: int) -> Reach | None:
        with self._transaction() as connection:
            if not connection.execute(_exists(root)).scalar():
                return None
            rows = connection.execute(_walk(root, depth + 1)).all()
            found = {NodeRef(NodeKind(kind), name): distance for kind, name, distance in rows}
            distances = {ref: distance for ref, distance in found.items() if 0 < distance <= depth}
            edges = connection.execute(_edges_among([root, *distances])).all()
        return Reach(distances, tuple(sorted(set(_edges(edges)))), deeper=len(found) > len(distances) + 1)


def _change(connection: sa.Connection, table: sa.Table, origin: Origin, wanted: set[Row]) -> None:
    """Make the origin's rows the wanted ones, touching only those that differ."""
    present = {tuple(row) for row in connection.execute(sa.select(table).where(table.c.origin == origin.value))}
    if gone := present - wanted:
        connection.execute(_delete(table, gone))
    new = [dict(zip(table.columns.keys(), row, strict=True)) for row in wanted - present]
    if new:
        connection.execute(insert(table).on_conflict_do_nothing(), new)


def _delete(table: sa.Table, rows: Iterable[Row]) -> sa.Delete:
    """By the values of each column of the key as an array: a list of ten thousand rows is too deep for PostgreSQL (SQLSTATE 54001)."""
    values = dict(zip(table.columns.keys(), zip(*rows, strict=True), strict=True))
    key = list(table.primary_key.columns)
    unnested = (sa.func.unnest(sa.cast(list(values[column.name]), sa.ARRAY(sa.Text))).label(column.name) for column in key)
    gone = sa.select(*unnested).cte("gone")
    return sa.delete(table).where(*(column == gone.c[column.name] for column in key))


def _edge_row(edge: Edge, origin: Origin) -> Row:
    return (edge.source.kind.value, edge.source.name, edge.target.kind.value, edge.target.name, edge.relation, origin.value)


def _edges(rows: Iterable[Any]) -> Iterable[Edge]:
    for row in rows:
        source = NodeRef(NodeKind(row.source_kind), row.source_name)
        yield Edge(source, NodeRef(NodeKind(row.target_kind), row.target_name), row.relation)


def _exists(root: NodeRef) -> sa.Select[Any]:
    """Whether a node was declared, or is at least named by an edge."""
    named = (root.kind.value, root.name)
    return sa.select(
        sa.or_(
            sa.exists().where(sa.tuple_(tables.nodes.c.kind, tables.nodes.c.name) == named),
            sa.exists().where(sa.tuple_(EDGE.source_kind, EDGE.source_name) == named),
            sa.exists().where(sa.tuple_(EDGE.target_kind, EDGE.target_name) == named),
        )
    )


def _walk(root: NodeRef, depth: int) -> sa.Select[Any]:
    """Each reached node with its smallest distance, the root with 0. At most nodes times depth rows on the way."""
    start = sa.select(
        sa.literal(root.kind.value, sa.Text).label("kind"), sa.literal(root.name, sa.Text).label("name"), sa.literal(0).label("distance")
    )
    walked = start.cte("walked", recursive=True)
    step = (
        sa.select(EDGE.source_kind, EDGE.source_name, walked.c.distance + 1)
        .join(walked, sa.and_(EDGE.target_kind == walked.c.kind, EDGE.target_name == walked.c.name))
        .where(walked.c.distance < depth)
    )
    walked = walked.union(step)
    return sa.select(walked.c.kind, walked.c.name, sa.func.min(walked.c.distance)).group_by(walked.c.kind, walked.c.name)


def _edges_among(refs: Iterable[NodeRef]) -> sa.Select[Any]:
    """Two arrays instead of a list of pairs: one prepared shape, whatever the number of nodes."""
    listed = list(refs)
    kinds = sa.cast([ref.kind.value for ref in listed], sa.ARRAY(sa.Text))
    names = sa.cast([ref.name for ref in listed], sa.ARRAY(sa.Text))
    among = sa.select(sa.func.unnest(kinds).label("kind"), sa.func.unnest(names).label("name")).cte("among")
    return (
        sa.select(tables.edges)
        .join(source := among.alias(), sa.and_(EDGE.source_kind == source.c.kind, EDGE.source_name == source.c.name))
        .join(target := among.alias(), sa.and_(EDGE.target_kind == target.c.kind, EDGE.target_name == target.c.name))
    )
