"""Taking nodes from workers that will not end them. Every method runs inside its caller's transaction.

Lock order: the executions' rows by their ids, then their nodes': a pause or an end in the same moment comes before or after, never between.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, case, select, true, tuple_, update

from gateway.executions.model import ExecutionStatus, NodeStatus, Outcome
from gateway.executions.tables import execution_nodes, executions, node_attempts

NodeKey = tuple[str, str]
"""Execution id, node id."""


class LeaseStore:
    """Nodes that are held, as rows."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def release(self, workers: str, now: datetime) -> list[NodeKey]:
        """Give up the nodes of workers whose names begin so: ready again, or paused where their execution is.

        Returns those that are ready. What their holders still write is void.
        """
        theirs = execution_nodes.c.lease_owner.startswith(workers, autoescape=True)
        return self._take_back(theirs, true(), Outcome.HANDED_BACK, now)

    def park(self, now: datetime) -> None:
        """Nodes of paused executions whose lease ran out wait with the others, and not as if somebody ran them."""
        lapsed = execution_nodes.c.lease_until <= now
        self._take_back(lapsed, executions.c.status == ExecutionStatus.PAUSED.value, Outcome.LOST, now)

    def _take_back(self, which: ColumnElement[bool], of_executions: ColumnElement[bool], outcome: Outcome, now: datetime) -> list[NodeKey]:
        held = and_(execution_nodes.c.status == NodeStatus.RUNNING.value, which)
        locked = self._connection.execute(
            select(executions.c.id)
            .where(executions.c.id.in_(select(execution_nodes.c.execution_id).where(held)), of_executions)
            .order_by(executions.c.id)
            .with_for_update()
        ).scalars()
        paused = executions.c.status == ExecutionStatus.PAUSED.value
        rows = self._connection.execute(
            update(execution_nodes)
            .where(held, execution_nodes.c.execution_id.in_(locked.all()), executions.c.id == execution_nodes.c.execution_id)
            .values(
                status=case((paused, NodeStatus.PAUSED.value), else_=NodeStatus.READY.value),
                epoch=execution_nodes.c.epoch + 1,
                lease_until=None,
                due_at=now,
                rung_at=case((paused, None), else_=now),
            )
            .returning(execution_nodes.c.execution_id, execution_nodes.c.node_id, execution_nodes.c.status)
        ).all()
        self._end_attempts([(row.execution_id, row.node_id) for row in rows], outcome, now)
        return [(row.execution_id, row.node_id) for row in rows if row.status == NodeStatus.READY.value]

    def _end_attempts(self, nodes: Collection[NodeKey], outcome: Outcome, now: datetime) -> None:
        if nodes:
            self._connection.execute(
                update(node_attempts)
                .where(
                    tuple_(node_attempts.c.execution_id, node_attempts.c.node_id).in_(nodes),
                    node_attempts.c.outcome == Outcome.RUNNING.value,
                )
                .values(outcome=outcome.value, completed_at=now)
            )
