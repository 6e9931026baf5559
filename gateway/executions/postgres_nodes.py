"""The rows of nodes: claiming by lease, settling by epoch, joins counted in rows. Every method runs inside its caller's transaction.

Lock order: the execution's row, then its nodes'. A claim locks one node only, so that it never waits behind a settling.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Connection, Integer, Text, and_, bindparam, case, func, insert, or_, select, update

from gateway.executions.model import Claim, ExecutionStatus, JsonObject, NodeStatus, Outcome, sources_of
from gateway.executions.scope import NodeResult
from gateway.executions.tables import execution_nodes, executions, node_attempts

SKEW_SECONDS = 1.0  # clocks of machines differ: what one of them says is due now is due for all
CLAIMED = (
    executions.c.flow_id,
    executions.c.definition_digest,
    executions.c.parameters,
    executions.c.triggered_by,
    executions.c.request_id,
    executions.c.error,
)


@dataclass(frozen=True)
class Progress:
    """How far an execution is; its row is locked. `failing`: some node failed."""

    status: ExecutionStatus
    nodes_left: int
    output_bytes: int
    failing: bool


class NodeStore:
    """Nodes and their attempts as rows."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def claim(self, execution_id: str, node_id: str, worker: str, now: datetime, lease_until: datetime) -> Claim | None:
        """Take a node that is due, or whose lease ran out. None when it is neither: somebody else has it, it is paused or settled.

        One UPDATE decides; the new epoch makes every earlier holder's writing void. In a paused execution no node is ready; one whose
        lease ran out there waits with the others (`LeaseStore.park`).
        """
        due = and_(execution_nodes.c.status == NodeStatus.READY.value, execution_nodes.c.due_at <= now + timedelta(seconds=SKEW_SECONDS))
        lapsed = and_(execution_nodes.c.status == NodeStatus.RUNNING.value, execution_nodes.c.lease_until <= now, _execution_runs())
        taken = self._connection.execute(
            update(execution_nodes)
            .where(_is(execution_id, node_id), or_(due, lapsed))
            .values(
                status=NodeStatus.RUNNING.value,
                epoch=execution_nodes.c.epoch + 1,
                attempts=execution_nodes.c.attempts + 1,
                lease_owner=worker,
                lease_until=lease_until,
                started_at=func.coalesce(execution_nodes.c.started_at, now),
                due_at=None,
                rung_at=None,
            )
            .returning(execution_nodes.c.epoch, execution_nodes.c.forgiven_epoch)
        ).one_or_none()
        if taken is None:
            return None
        failures, losses = self._close_lost(execution_id, node_id, taken.forgiven_epoch, now) if taken.epoch > 1 else (0, 0)
        return replace(self._begin(execution_id, node_id, taken.epoch, worker, now), failures=failures, losses=losses)

    def claim_next(self, execution_id: str, worker: str, now: datetime, lease_until: datetime) -> Claim | None:
        """Take any node of this execution that is due; None when none is, or others are just taking them."""
        node_id = self._connection.execute(
            select(execution_nodes.c.node_id)
            .where(
                execution_nodes.c.execution_id == execution_id,
                execution_nodes.c.status == NodeStatus.READY.value,
                execution_nodes.c.due_at <= now,
            )
            .order_by(execution_nodes.c.position)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).scalar_one_or_none()
        return self.claim(execution_id, node_id, worker, now, lease_until) if node_id is not None else None

    def _begin(self, execution_id: str, node_id: str, epoch: int, worker: str, now: datetime) -> Claim:
        self._connection.execute(
            insert(node_attempts).values(
                execution_id=execution_id, node_id=node_id, epoch=epoch, worker=worker, outcome=Outcome.RUNNING.value, started_at=now
            )
        )
        row = self._connection.execute(select(*CLAIMED).where(executions.c.id == execution_id)).one()
        return Claim(
            execution_id=execution_id,
            node_id=node_id,
            epoch=epoch,
            flow_id=row.flow_id,
            definition_digest=row.definition_digest,
            parameters=row.parameters,
            triggered_by=row.triggered_by,
            request_id=row.request_id,
            failing=row.error is not None,
        )

    def _close_lost(self, execution_id: str, node_id: str, forgiven_epoch: int, now: datetime) -> tuple[int, int]:
        """Mark the attempt of a holder that lost its lease; returns how many attempts failed and how many were lost since that epoch."""
        mine = and_(node_attempts.c.execution_id == execution_id, node_attempts.c.node_id == node_id)
        self._connection.execute(
            update(node_attempts)
            .where(mine, node_attempts.c.outcome == Outcome.RUNNING.value)
            .values(outcome=Outcome.LOST.value, completed_at=now)
        )
        count = func.count()
        row = self._connection.execute(
            select(
                count.filter(node_attempts.c.outcome == Outcome.FAILED.value),
                count.filter(node_attempts.c.outcome == Outcome.LOST.value),
            ).where(mine, node_attempts.c.epoch > forgiven_epoch)
        ).one()
        return row[0], row[1]

    def renew(self, claim: Claim, lease_until: datetime) -> bool:
        """Keep the lease; False when another holder has the node."""
        return self._connection.execute(update(execution_nodes).where(_held(claim)).values(lease_until=lease_until)).rowcount == 1

    def holds(self, claim: Claim) -> bool:
        """Whether the node is still this claim's: not cancelled, and taken over by nobody."""
        return self._connection.execute(select(execution_nodes.c.node_id).where(_held(claim))).first() is not None

    def results(self, execution_id: str, node_ids: Collection[str]) -> dict[str, NodeResult]:
        """Where these nodes stand and what they gave."""
        if not node_ids:
            return {}
        rows = self._connection.execute(
            select(execution_nodes.c.node_id, execution_nodes.c.status, execution_nodes.c.output).where(
                execution_nodes.c.execution_id == execution_id, execution_nodes.c.node_id.in_(node_ids)
            )
        )
        return {row.node_id: NodeResult(NodeStatus(row.status), row.output) for row in rows}

    def lock_execution(self, execution_id: str) -> Progress | None:
        """The execution's row, locked until this transaction ends: its nodes are settled one after the other."""
        row = self._connection.execute(
            select(executions.c.status, executions.c.nodes_left, executions.c.output_bytes, executions.c.error)
            .where(executions.c.id == execution_id)
            .with_for_update()
        ).one_or_none()
        if row is None:
            return None
        return Progress(ExecutionStatus(row.status), row.nodes_left, row.output_bytes, row.error is not None)

    def settle(
        self, claim: Claim, status: NodeStatus, outcome: Outcome, now: datetime, *, output: Any = None, error: JsonObject | None = None
    ) -> bool:
        """End an attempt and its node; False, and nothing changed, when the lease passed to another."""
        changed = self._connection.execute(
            update(execution_nodes)
            .where(_held(claim), _may_become(status))
            .values(status=status.value, completed_at=now, lease_until=None, output=output, error=error)
        ).rowcount
        return changed == 1 and self._end_attempt(claim, outcome, now, error)

    def postpone(self, claim: Claim, ready: NodeStatus, due_at: datetime, now: datetime, error: JsonObject) -> bool:
        """End a failed attempt and make its node ready (or paused) again at `due_at`; False when the lease passed to another."""
        rung_at = due_at if ready is NodeStatus.READY else None
        changed = self._connection.execute(
            update(execution_nodes)
            .where(_held(claim), _may_become(ready))
            .values(status=ready.value, due_at=due_at, rung_at=rung_at, lease_until=None, error=error)
        ).rowcount
        return changed == 1 and self._end_attempt(claim, Outcome.FAILED, now, error)

    def _end_attempt(self, claim: Claim, outcome: Outcome, now: datetime, error: JsonObject | None) -> bool:
        self._connection.execute(
            update(node_attempts)
            .where(
                node_attempts.c.execution_id == claim.execution_id,
                node_attempts.c.node_id == claim.node_id,
                node_attempts.c.epoch == claim.epoch,
            )
            .values(outcome=outcome.value, completed_at=now, error=error)
        )
        return True

    def count_edges(
        self, execution_id: str, decisions: Mapping[str, tuple[int, int]], now: datetime, ready_as: NodeStatus
    ) -> dict[str, NodeStatus]:
        """Count decided edges into their targets, all in one statement; returns where each target now stands.

        A target becomes ready (`ready_as`: or paused) when its last edge is decided and at least one is taken, skipped when none is.
        One that was cancelled stays so and is counted all the same: what was decided must stand when its execution is retried.
        """
        if not decisions:
            return {}
        edges = _edges(decisions)
        pending = execution_nodes.c.pending - edges.c.decided
        taken = execution_nodes.c.taken + edges.c.taken
        waiting = execution_nodes.c.status == NodeStatus.PENDING.value
        ready, skipped = and_(waiting, pending == 0, taken > 0), and_(waiting, pending == 0, taken == 0)
        status = case((ready, ready_as.value), (skipped, NodeStatus.SKIPPED.value), else_=execution_nodes.c.status)
        rung_at = case((ready, now), else_=None) if ready_as is NodeStatus.READY else None
        rows = self._connection.execute(
            update(execution_nodes)
            .where(
                execution_nodes.c.execution_id == execution_id,
                execution_nodes.c.node_id == edges.c.node_id,
                execution_nodes.c.status.in_([NodeStatus.PENDING.value, NodeStatus.CANCELLED.value]),
            )
            .values(
                pending=pending,
                taken=taken,
                status=status,
                due_at=case((ready, now), else_=None),
                rung_at=rung_at,
                completed_at=case((skipped, now), else_=execution_nodes.c.completed_at),
            )
            .returning(execution_nodes.c.node_id, execution_nodes.c.status)
        )
        return {row.node_id: NodeStatus(row.status) for row in rows}

    def cancel_unstarted(self, execution_id: str, now: datetime) -> int:
        """Cancel every node that no worker holds; returns how many."""
        return self._connection.execute(
            update(execution_nodes)
            .where(
                execution_nodes.c.execution_id == execution_id,
                execution_nodes.c.status.in_([NodeStatus.PENDING.value, NodeStatus.READY.value, NodeStatus.PAUSED.value]),
            )
            .values(status=NodeStatus.CANCELLED.value, completed_at=now, due_at=None, rung_at=None)
        ).rowcount

    def advance(self, execution_id: str, *, ended: int, output_bytes: int, error: JsonObject | None) -> None:
        """Count nodes that came to their end; the first error of an execution stays."""
        values: dict[str, Any] = {
            "nodes_left": executions.c.nodes_left - ended,
            "output_bytes": executions.c.output_bytes + output_bytes,
        }
        if error is not None:
            values["error"] = error
        self._connection.execute(update(executions).where(executions.c.id == execution_id).values(values))

    def end_execution(self, execution_id: str, status: ExecutionStatus, now: datetime) -> None:
        """The last node came to its end. The execution's row is locked, and it has not ended."""
        self._connection.execute(update(executions).where(executions.c.id == execution_id).values(status=status.value, completed_at=now))

    def take_unheard(self, now: datetime, rung_before: datetime, limit: int) -> list[tuple[str, str]]:
        """Nodes that should be under way and are not: due but rung for long ago, or held by a worker whose lease ran out.

        They are marked as rung now, so that the next sweep leaves them alone for a while.
        """
        due = and_(execution_nodes.c.status == NodeStatus.READY.value, execution_nodes.c.rung_at < rung_before)
        lapsed = and_(
            execution_nodes.c.status == NodeStatus.RUNNING.value,
            execution_nodes.c.lease_until <= now,
            or_(execution_nodes.c.rung_at.is_(None), execution_nodes.c.rung_at < rung_before),
        )
        keys = (execution_nodes.c.execution_id, execution_nodes.c.node_id)
        unheard = select(*keys).where(or_(due, lapsed)).limit(limit).with_for_update(skip_locked=True).cte("unheard")
        rows = self._connection.execute(
            update(execution_nodes)
            .where(execution_nodes.c.execution_id == unheard.c.execution_id, execution_nodes.c.node_id == unheard.c.node_id)
            .values(rung_at=now)
            .returning(*keys)
        )
        return [(row.execution_id, row.node_id) for row in rows]


def _is(execution_id: str, node_id: str) -> ColumnElement[bool]:
    return and_(execution_nodes.c.execution_id == execution_id, execution_nodes.c.node_id == node_id)


def _execution_runs() -> ColumnElement[bool]:
    return (
        select(executions.c.id)
        .where(executions.c.id == execution_nodes.c.execution_id, executions.c.status == ExecutionStatus.RUNNING.value)
        .exists()
    )


def _held(claim: Claim) -> ColumnElement[bool]:
    """The fence: only the holder of the latest epoch writes."""
    return and_(_is(claim.execution_id, claim.node_id), execution_nodes.c.epoch == claim.epoch, execution_nodes.c.status == "running")


def _may_become(status: NodeStatus) -> ColumnElement[bool]:
    return execution_nodes.c.status.in_([source.value for source in sources_of(status)])


def _edges(decisions: Mapping[str, tuple[int, int]]) -> Any:
    """The decisions as a table: node_id, decided, taken."""
    names = bindparam("names", list(decisions), type_=ARRAY(Text), unique=True)
    decided = bindparam("decided", [each[0] for each in decisions.values()], type_=ARRAY(Integer), unique=True)
    taken = bindparam("taken", [each[1] for each in decisions.values()], type_=ARRAY(Integer), unique=True)
    return func.unnest(names, decided, taken).table_valued("node_id", "decided", "taken", name="edges").render_derived()
