"""The rows that an action of a client changes. Every method runs inside its caller's transaction, under the lock of the execution's row.

Where a worker claims a node in the same moment, the row of that node decides: what is changed here is no longer claimed, and what was
claimed before is under way.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, case, func, or_, select, update

from gateway.executions.errors import ExecutionNotFound
from gateway.executions.model import MAX_ACTIONS, NODE_ENDED, ActionTaken, ExecutionStatus, NodeStatus, Outcome, sources_of
from gateway.executions.postgres import action_document, is_storable
from gateway.executions.tables import execution_nodes, executions, node_attempts


class ActionStore:
    """One execution and its nodes as rows."""

    def __init__(self, connection: Connection, execution_id: str) -> None:
        self._connection = connection
        self._execution_id = execution_id
        self._mine = execution_nodes.c.execution_id == execution_id

    def lock(self) -> ExecutionStatus:
        """The execution's status, which nobody else changes until this transaction ends.

        Raises:
            ExecutionNotFound
        """
        if not is_storable(self._execution_id):
            raise ExecutionNotFound("There is no execution of this id")
        statement = select(executions.c.status).where(executions.c.id == self._execution_id).with_for_update()
        status = self._connection.execute(statement).scalar_one_or_none()
        if status is None:
            raise ExecutionNotFound(f"There is no execution {self._execution_id!r}")
        return ExecutionStatus(status)

    def definition_digest(self) -> str:
        """Names the pinned definition."""
        digest: str = self._connection.execute(
            select(executions.c.definition_digest).where(executions.c.id == self._execution_id)
        ).scalar_one()
        return digest

    def write(self, taken: ActionTaken) -> None:
        """The execution's new status, and who brought it there; of many actions the latest `MAX_ACTIONS` are kept."""
        before = self._connection.execute(select(executions.c.actions).where(executions.c.id == self._execution_id)).scalar_one()
        values: dict[str, Any] = {"status": taken.to_status.value, "actions": [*before, action_document(taken)][-MAX_ACTIONS:]}
        if taken.to_status.is_final or taken.from_status.is_final:
            values["completed_at"] = taken.taken_at if taken.to_status.is_final else None
        if taken.from_status.is_final:
            values["error"] = None
        left = select(func.count()).where(self._mine, execution_nodes.c.status.not_in([status.value for status in NODE_ENDED]))
        values["nodes_left"] = left.scalar_subquery()
        self._connection.execute(update(executions).where(executions.c.id == self._execution_id).values(values))

    def cancel_nodes(self, now: datetime) -> None:
        """End every node that has not ended; the new epoch makes void whatever a worker still writes."""
        self._connection.execute(
            update(execution_nodes)
            .where(self._mine, execution_nodes.c.status.in_([source.value for source in sources_of(NodeStatus.CANCELLED)]))
            .values(
                status=NodeStatus.CANCELLED.value,
                epoch=execution_nodes.c.epoch + 1,
                completed_at=now,
                lease_until=None,
                due_at=None,
                rung_at=None,
            )
        )
        self._connection.execute(
            update(node_attempts)
            .where(node_attempts.c.execution_id == self._execution_id, node_attempts.c.outcome == Outcome.RUNNING.value)
            .values(outcome=Outcome.CANCELLED.value, completed_at=now)
        )

    def pause_nodes(self) -> None:
        """What is ready waits from now on; its timer stands."""
        self._connection.execute(
            update(execution_nodes)
            .where(self._mine, execution_nodes.c.status == NodeStatus.READY.value)
            .values(status=NodeStatus.PAUSED.value, rung_at=None)
        )

    def resume_nodes(self, now: datetime) -> list[tuple[str, datetime]]:
        """What waited is ready again; returns each node with when it is due, which may be past."""
        rows = self._connection.execute(
            update(execution_nodes)
            .where(self._mine, execution_nodes.c.status == NodeStatus.PAUSED.value)
            .values(status=NodeStatus.READY.value, rung_at=func.greatest(execution_nodes.c.due_at, now))
            .returning(execution_nodes.c.node_id, execution_nodes.c.due_at)
        )
        return [(row.node_id, row.due_at) for row in rows]

    def begin_anew(self, starts: Collection[str], now: datetime) -> dict[str, NodeStatus]:
        """Nodes that failed or were cancelled stand where their decided edges put them; returns where each one stands.

        Their earlier attempts are kept and count no more.

        Args:
            starts: the nodes without incoming edges.
        """
        decided = execution_nodes.c.pending == 0
        ready = and_(decided, or_(execution_nodes.c.taken > 0, execution_nodes.c.node_id.in_(starts)))
        status = case((ready, NodeStatus.READY.value), (decided, NodeStatus.SKIPPED.value), else_=NodeStatus.PENDING.value)
        rows = self._connection.execute(
            update(execution_nodes)
            .where(self._mine, execution_nodes.c.status.in_([NodeStatus.FAILED.value, NodeStatus.CANCELLED.value]))
            .values(
                status=status,
                forgiven_epoch=execution_nodes.c.epoch,
                due_at=case((ready, now), else_=None),
                rung_at=case((ready, now), else_=None),
                started_at=None,
                completed_at=case((and_(decided, ~ready), now), else_=None),
                error=None,
            )
            .returning(execution_nodes.c.node_id, execution_nodes.c.status)
        )
        return {row.node_id: NodeStatus(row.status) for row in rows}
