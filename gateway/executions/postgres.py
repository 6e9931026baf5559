"""The rows of executions: adding, reading, listing, forgetting. Every method runs inside its caller's transaction."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from gateway.executions.errors import ExecutionNotFound
from gateway.executions.model import (
    ActionTaken,
    ExecutionAction,
    ExecutionPage,
    ExecutionStatus,
    ExecutionSummary,
    ExecutionView,
    JsonObject,
    NodeStatus,
    NodeView,
)
from gateway.executions.tables import execution_nodes, executions

SUMMARY = (
    executions.c.id,
    executions.c.flow_id,
    executions.c.flow_version,
    executions.c.status,
    executions.c.parameters,
    executions.c.triggered_by,
    executions.c.execution_context,
    executions.c.started_at,
    executions.c.completed_at,
    executions.c.error,
    executions.c.warnings,
)
NODE_VIEW = (
    execution_nodes.c.node_id,
    execution_nodes.c.name,
    execution_nodes.c.type,
    execution_nodes.c.status,
    execution_nodes.c.attempts,
    execution_nodes.c.started_at,
    execution_nodes.c.completed_at,
    execution_nodes.c.output,
    execution_nodes.c.error,
)


@dataclass(frozen=True)
class NewExecution:
    """What a new execution's row holds beside its summary."""

    summary: ExecutionSummary
    definition: JsonObject
    definition_digest: str
    request_digest: str
    caller: str
    idempotency_key: str | None
    request_id: str | None
    nodes_left: int


@dataclass(frozen=True)
class NewNode:
    """One node of a new execution. `pending`: its incoming edges. `is_end`: no edge leaves it."""

    id: str
    name: str
    type: str
    pending: int
    is_end: bool


class ExecutionStore:
    """Executions as rows."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find_by_key(self, flow_id: str, caller: str, idempotency_key: str) -> tuple[ExecutionSummary, str] | None:
        """The execution that this key started, and the digest of its request."""
        row = (
            self._connection.execute(
                select(*SUMMARY, executions.c.request_digest).where(
                    executions.c.flow_id == flow_id, executions.c.caller == caller, executions.c.idempotency_key == idempotency_key
                )
            )
            .mappings()
            .one_or_none()
        )
        return (_summary(row), row["request_digest"]) if row else None

    def add(self, new: NewExecution) -> bool:
        """Insert an execution; False when its Idempotency-Key is taken. Waits for a transaction that is just taking it."""
        summary = new.summary
        values = {column.name: getattr(summary, column.name) for column in SUMMARY}
        values |= {
            "warnings": list(summary.warnings),
            "parameters": dict(summary.parameters),
            "execution_context": dict(summary.execution_context),
            "definition": dict(new.definition),
            "definition_digest": new.definition_digest,
            "request_digest": new.request_digest,
            "caller": new.caller,
            "idempotency_key": new.idempotency_key,
            "request_id": new.request_id,
            "nodes_left": new.nodes_left,
        }
        statement = upsert(executions).values(values).on_conflict_do_nothing().returning(executions.c.id)
        return self._connection.execute(statement).first() is not None

    def add_nodes(self, execution_id: str, nodes: Collection[NewNode], due_at: datetime) -> None:
        """Insert every node in one statement: those without incoming edges are due at once."""
        rows = [
            {
                "execution_id": execution_id,
                "position": position,
                "node_id": node.id,
                "name": node.name,
                "type": node.type,
                "pending": node.pending,
                "is_end": node.is_end,
                "status": (NodeStatus.PENDING if node.pending else NodeStatus.READY).value,
                "due_at": None if node.pending else due_at,
                "rung_at": None if node.pending else due_at,
            }
            for position, node in enumerate(nodes)
        ]
        self._connection.execute(insert(execution_nodes), rows)

    def get(self, execution_id: str) -> ExecutionSummary:
        """One execution without its nodes.

        Raises:
            ExecutionNotFound
        """
        return _summary(self._get_row(execution_id))

    def _get_row(self, execution_id: str) -> RowMapping:
        if not is_storable(execution_id):
            raise ExecutionNotFound("There is no execution of this id")
        statement = select(*SUMMARY, executions.c.actions).where(executions.c.id == execution_id)
        row = self._connection.execute(statement).mappings().one_or_none()
        if row is None:
            raise ExecutionNotFound(f"There is no execution {execution_id!r}")
        return row

    def find_request_id(self, execution_id: str) -> str | None:
        """The id of the request that started it; None when it came from none."""
        request_id: str | None = self._connection.execute(
            select(executions.c.request_id).where(executions.c.id == execution_id)
        ).scalar_one_or_none()
        return request_id

    def get_definition(self, execution_id: str) -> Any:
        """The pinned definition, as a document.

        Raises:
            ExecutionNotFound
        """
        row = self._connection.execute(select(executions.c.definition).where(executions.c.id == execution_id)).one_or_none()
        if row is None:
            raise ExecutionNotFound(f"There is no execution {execution_id!r}")
        return row.definition

    def get_view(self, execution_id: str) -> ExecutionView:
        """One execution with its nodes in the order of the definition, its result, and what was done to it.

        Raises:
            ExecutionNotFound
        """
        row = self._get_row(execution_id)
        summary = _summary(row)
        rows = (
            self._connection.execute(
                select(*NODE_VIEW, execution_nodes.c.is_end)
                .where(execution_nodes.c.execution_id == execution_id)
                .order_by(execution_nodes.c.position)
            )
            .mappings()
            .all()
        )
        nodes = tuple(_node(row) for row in rows)
        ends = {row["node_id"] for row in rows if row["is_end"]} if summary.status is ExecutionStatus.COMPLETED else set()
        return ExecutionView(**vars(summary), nodes=nodes, result=result_of(nodes, ends), actions=_actions(row["actions"]))

    def list_for_flow(self, flow_id: str, status: ExecutionStatus | None, limit: int, offset: int) -> ExecutionPage:
        """A page of a flow's executions, newest first."""
        if not is_storable(flow_id):
            return ExecutionPage((), 0, limit, offset)
        matching = [executions.c.flow_id == flow_id] + ([executions.c.status == status.value] if status else [])
        total = self._connection.execute(select(func.count()).select_from(executions).where(*matching)).scalar_one()
        rows = self._connection.execute(
            select(*SUMMARY).where(*matching).order_by(executions.c.started_at.desc(), executions.c.id.desc()).limit(limit).offset(offset)
        ).mappings()
        return ExecutionPage(tuple(_summary(row) for row in rows), total, limit, offset)

    def find_standing(self, execution_ids: Collection[str]) -> set[str]:
        """Those of these executions that do not go on by themselves: they ended, are paused, or do not exist (any more)."""
        running = select(executions.c.id).where(executions.c.id.in_(execution_ids), executions.c.status == ExecutionStatus.RUNNING.value)
        return set(execution_ids) - set(self._connection.execute(running).scalars())

    def delete_ended_before(self, moment: datetime, limit: int) -> int:
        """Forget up to `limit` executions that ended before this moment, with all their rows; returns how many."""
        old = select(executions.c.id).where(executions.c.completed_at < moment).limit(limit)
        return self._connection.execute(delete(executions).where(executions.c.id.in_(old))).rowcount


def is_storable(text: str) -> bool:
    """Whether PostgreSQL could hold this text: what it cannot hold names nothing."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def result_of(nodes: Collection[NodeView], ends: Collection[str]) -> Any:
    """The output of the last node, or `{id: output}` of those that completed when several end the flow."""
    outputs = {node.id: node.output for node in nodes if node.id in ends and node.status is NodeStatus.COMPLETED}
    return outputs if len(ends) > 1 else next(iter(outputs.values()), None)


def action_document(taken: ActionTaken) -> dict[str, Any]:
    """An action as its execution's row keeps it."""
    return {**vars(taken), "taken_at": taken.taken_at.isoformat()}


def _actions(stored: list[dict[str, Any]]) -> tuple[ActionTaken, ...]:
    return tuple(
        ActionTaken(
            action=ExecutionAction(each["action"]),
            caller=each["caller"],
            reason=each["reason"],
            taken_at=datetime.fromisoformat(each["taken_at"]),
            from_status=ExecutionStatus(each["from_status"]),
            to_status=ExecutionStatus(each["to_status"]),
            request_id=each["request_id"],
        )
        for each in stored
    )


def _summary(row: RowMapping) -> ExecutionSummary:
    values = {column.name: row[column] for column in SUMMARY}
    return ExecutionSummary(**{**values, "status": ExecutionStatus(values["status"]), "warnings": tuple(values["warnings"])})


def _node(row: RowMapping) -> NodeView:
    values = {column.name: row[column] for column in NODE_VIEW if column.name not in {"node_id", "status"}}
    return NodeView(id=row["node_id"], status=NodeStatus(row["status"]), **values)
