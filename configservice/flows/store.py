"""The rows of flow definitions."""

from functools import partial
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import insert

from configservice.database import AnyRow, Database
from configservice.flows.bodies import RESERVED_IDS, ListFlows
from configservice.flows.edges import replace_edges
from configservice.flows.model import StoredFlow
from configservice.reading import InvalidRequest
from configservice.tables import NOW, flows
from gateway.errors import Conflict, NotFound
from gateway.flows.model import FlowDefinition, FlowStatus
from gateway.flows.parsing import parse_flow


class FlowStore:
    """Registers, replaces, archives and lists definitions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, flow: FlowDefinition) -> StoredFlow:
        """Store a new definition, as `draft` unless it says otherwise.

        Raises:
            Conflict: the id, or the name with this version, is used. InvalidRequest: reserved id, or a cycle of dependencies.
        """
        if flow.id in RESERVED_IDS:
            raise InvalidRequest.of(f"The id {flow.id!r} is reserved", "id", kind="any.invalid")
        return self._database.write(partial(_register, flow=flow))

    def replace(self, flow_id: str, document: dict[str, Any]) -> StoredFlow:
        """Replace a definition. An absent status or createdBy stays as it was.

        Raises:
            NotFound. Conflict: another flow has this name and version. FlowInvalid, InvalidRequest: no definition, another id, a cycle.
        """
        return self._database.write(partial(_replace, flow_id=flow_id, document=document))

    def archive(self, flow_id: str) -> None:
        """Set the status to `archived`; once more is harmless.

        Raises:
            NotFound.
        """
        statement = flows.update().where(flows.c.id == flow_id).values(status=FlowStatus.ARCHIVED.value, updated_at=NOW)
        if not self._database.write(lambda connection: connection.execute(statement).rowcount):
            raise NotFound(f"No flow has the id {flow_id!r}")

    def get(self, flow_id: str) -> StoredFlow:
        """One definition, archived or not.

        Raises:
            NotFound.
        """
        return self._database.read(partial(get_flow, flow_id=flow_id))

    def list_flows(self, query: ListFlows) -> tuple[list[StoredFlow], int]:
        """One page of definitions, and how many there are on all pages."""
        conditions = _conditions(query)
        column = flows.c[query.sort_column]
        ordered = (column.asc(), flows.c.id.asc()) if query.sort_order == "asc" else (column.desc(), flows.c.id.desc())
        page = select(flows).where(*conditions).order_by(*ordered).limit(query.limit).offset((query.page - 1) * query.limit)
        count = select(func.count()).select_from(flows).where(*conditions)
        return self._database.read(
            lambda connection: ([stored_flow(row) for row in connection.execute(page)], connection.execute(count).scalar_one())
        )


def get_flow(connection: Connection, flow_id: str, *, lock: bool = False) -> StoredFlow:
    """One definition, its row locked when asked.

    Raises:
        NotFound.
    """
    statement = select(flows).where(flows.c.id == flow_id)
    row = connection.execute(statement.with_for_update() if lock else statement).one_or_none()
    if row is None:
        raise NotFound(f"No flow has the id {flow_id!r}")
    return stored_flow(row)


def stored_flow(row: AnyRow) -> StoredFlow:
    """A row as a value."""
    return StoredFlow(row.id, row.name, row.version, row.type, FlowStatus(row.status), row.document, row.created_at, row.updated_at)


def _conditions(query: ListFlows) -> list[Any]:
    conditions: list[Any] = []
    if query.type:
        conditions.append(flows.c.type == query.type.value)
    if query.statuses is not None:
        conditions.append(flows.c.status.in_([status.value for status in query.statuses]))
    if query.created_by:
        conditions.append(flows.c.created_by == query.created_by)
    if query.tags:
        conditions.append(flows.c.tags.contains(query.tags))
    return conditions


def _register(connection: Connection, flow: FlowDefinition) -> StoredFlow:
    values = _values(flow, flow.status or FlowStatus.DRAFT)
    row = connection.execute(insert(flows).values(id=flow.id, **values).on_conflict_do_nothing().returning(flows)).one_or_none()
    if row is None:
        raise Conflict(_conflict_of(connection, flow))
    replace_edges(connection, flow)
    return stored_flow(row)


def _conflict_of(connection: Connection, flow: FlowDefinition) -> str:
    if connection.execute(select(flows.c.id).where(flows.c.id == flow.id)).one_or_none():
        return f"A flow with the id {flow.id!r} exists already"
    return f"A flow with the name {flow.name!r} and version {flow.version} exists already"


def _replace(connection: Connection, flow_id: str, document: dict[str, Any]) -> StoredFlow:
    current = get_flow(connection, flow_id, lock=True)
    flow = parse_flow({"id": flow_id, "createdBy": current.document["createdBy"], **document})
    if flow.id != flow_id:
        raise InvalidRequest.of(f"The id in the body must be {flow_id!r} or absent", "id", kind="any.only")
    twin = select(flows.c.id).where(flows.c.name == flow.name, flows.c.version == flow.version, flows.c.id != flow_id)
    if connection.execute(twin).one_or_none():
        raise Conflict(f"Another flow has the name {flow.name!r} and version {flow.version}")
    values = _values(flow, flow.status or current.status)
    row = connection.execute(flows.update().where(flows.c.id == flow_id).values(**values, updated_at=NOW).returning(flows)).one()
    replace_edges(connection, flow)
    return stored_flow(row)


def _values(flow: FlowDefinition, status: FlowStatus) -> dict[str, Any]:
    document = {name: value for name, value in flow.document.items() if name != "status"}
    return {
        "name": flow.name,
        "version": flow.version,
        "type": flow.type.value,
        "status": status.value,
        "created_by": flow.created_by,
        "tags": list(flow.tags),
        "document": document,
    }
