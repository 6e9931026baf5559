"""The rows of executions. Running one is the gateway's work; here stands what was asked for and what came of it."""

import uuid
from functools import partial
from typing import Any

from sqlalchemy import Connection, Delete, case, func, select
from sqlalchemy.dialects.postgresql import insert

from configservice.database import AnyRow, Database
from configservice.flows.bodies import ExecuteFlow, ListExecutions, ReportStatus
from configservice.flows.model import ENDED, LEGAL_BEFORE, Execution, ExecutionStatus
from configservice.flows.store import get_flow
from configservice.tables import NOW, flow_executions, flows
from gateway.errors import Conflict, NotFound, Unavailable
from gateway.flows.model import FlowStatus

PURGED_AT_ONCE = 100  # more than the one that is recorded with it, so that what is overdue shrinks
columns = flow_executions.c


class ExecutionStore:
    """Records executions and how they go on."""

    def __init__(self, database: Database, kept_days: int) -> None:
        self._database = database
        self._kept_days = kept_days

    def record(self, flow_id: str, body: ExecuteFlow, key: str | None = None) -> tuple[Execution, FlowStatus]:
        """Record that an execution started, or find the record that the same key made; the flow's status tells whether to warn.

        Of the flow's executions those that ended more than `kept_days` ago go, some with each new one.

        Raises:
            NotFound: the flow. Conflict: it is archived.
        """
        return self._database.write(partial(_record, flow_id=flow_id, body=body, key=key, kept_days=self._kept_days))

    def report(self, execution_id: str, body: ReportStatus) -> Execution:
        """Write down the next status, and result or error when given. The same report again changes nothing.

        Raises:
            NotFound. Conflict: the status it has does not allow this one.
        """
        return self._database.write(partial(_report, execution_id=_known_form(execution_id), body=body))

    def list_executions(self, flow_id: str, query: ListExecutions) -> tuple[list[Execution], int]:
        """One window of a flow's executions by their start, and how many there are in all.

        Raises:
            NotFound: the flow.
        """
        return self._database.read(partial(_list, flow_id=flow_id, query=query))


def _record(connection: Connection, flow_id: str, body: ExecuteFlow, key: str | None, kept_days: int) -> tuple[Execution, FlowStatus]:
    flow = get_flow(connection, flow_id)
    connection.execute(_purge(flow_id, kept_days))
    row = _find_by_key(connection, flow_id, key)
    if row is None and flow.status is FlowStatus.ARCHIVED:
        raise Conflict(f"The flow {flow_id!r} is archived: it runs no more")
    row = row or _insert(connection, flow_id, body, key) or _find_by_key(connection, flow_id, key)
    if row is None:  # another one had the key when this one was written, and went back on it
        raise Unavailable("The execution was not recorded", retry_after_seconds=1)
    return _execution(row), flow.status


def _purge(flow_id: str, kept_days: int) -> Delete:
    """By the index on (flow_id, started_at). Rows that another transaction purges already are left to it."""
    limit = NOW - func.make_interval(0, 0, 0, kept_days)
    ended = columns.status.in_([status.value for status in ENDED])
    overdue = select(columns.id).where(columns.flow_id == flow_id, columns.started_at < limit, columns.completed_at < limit, ended)
    oldest = overdue.order_by(columns.started_at).limit(PURGED_AT_ONCE).with_for_update(skip_locked=True)
    return flow_executions.delete().where(columns.id.in_(oldest))


def _find_by_key(connection: Connection, flow_id: str, key: str | None) -> AnyRow | None:
    if key is None:
        return None
    statement = select(flow_executions).where(columns.flow_id == flow_id, columns.idempotency_key == key)
    return connection.execute(statement).one_or_none()


def _insert(connection: Connection, flow_id: str, body: ExecuteFlow, key: str | None) -> AnyRow | None:
    """The new row; None when another transaction was first with the key."""
    values = {
        "id": str(uuid.uuid4()),
        "flow_id": flow_id,
        "status": ExecutionStatus.RUNNING.value,
        "parameters": body.parameters or {},
        "environment": body.environment,
        "triggered_by": body.triggered_by or "manual",
        "execution_context": body.execution_context or {},
        "idempotency_key": key,
    }
    statement = insert(flow_executions).values(**values)
    statement = statement.on_conflict_do_nothing(index_elements=["flow_id", "idempotency_key"])
    return connection.execute(statement.returning(flow_executions)).one_or_none()


def _report(connection: Connection, execution_id: str, body: ReportStatus) -> Execution:
    ended_at = case((columns.status == body.status.value, columns.completed_at), else_=NOW)  # reported again: it ended when it ended
    changes: dict[str, Any] = {"status": body.status.value, "completed_at": ended_at if body.status in ENDED else None}
    changes |= {"result": body.result} if body.has_result else {}
    if body.error_message is not None or body.status is not ExecutionStatus.FAILED:
        changes["error_message"] = body.error_message  # what failed and was retried with success has no error any more
    legal = [status.value for status in LEGAL_BEFORE[body.status]]
    statement = flow_executions.update().where(columns.id == execution_id, columns.status.in_(legal)).values(**changes)
    row = connection.execute(statement.returning(flow_executions)).one_or_none()
    if row is not None:
        return _execution(row)
    current = connection.execute(select(columns.status).where(columns.id == execution_id)).scalar_one_or_none()
    if current is None:
        raise NotFound(f"No execution has the id {execution_id!r}")
    raise Conflict(f"The execution is {current}: it cannot become {body.status.value}")


def _list(connection: Connection, flow_id: str, query: ListExecutions) -> tuple[list[Execution], int]:
    conditions = [columns.flow_id == flow_id] + ([columns.status == query.status.value] if query.status else [])
    count = select(select(func.count()).select_from(flow_executions).where(*conditions).scalar_subquery()).where(flows.c.id == flow_id)
    total = connection.execute(count).scalar_one_or_none()
    if total is None:
        raise NotFound(f"No flow has the id {flow_id!r}")
    oldest_first = query.sort_order == "asc"
    order = (columns.started_at.asc(), columns.id.asc()) if oldest_first else (columns.started_at.desc(), columns.id.desc())
    page = select(flow_executions).where(*conditions).order_by(*order).limit(query.limit).offset(query.offset)
    return [_execution(row) for row in connection.execute(page)], total


def _known_form(execution_id: str) -> str:
    try:
        return str(uuid.UUID(execution_id))
    except ValueError as error:
        raise NotFound(f"No execution has the id {execution_id!r}") from error


def _execution(row: AnyRow) -> Execution:
    return Execution(
        id=row.id,
        flow_id=row.flow_id,
        status=ExecutionStatus(row.status),
        parameters=row.parameters,
        triggered_by=row.triggered_by,
        execution_context=row.execution_context,
        result=row.result,
        error_message=row.error_message,
        started_at=row.started_at,
        completed_at=row.completed_at,
    )
