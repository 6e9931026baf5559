"""The rows of the outbox and of the workers' heartbeats. Every method runs inside its caller's transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from gateway.clock import Clock
from gateway.observability.context import current_request_id
from gateway.outbox.model import Backlog, Message, TaskName
from gateway.outbox.tables import outbox, worker_heartbeats


class OutboxStore:
    """Writes and claims messages. `rung` counts what this transaction added."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self.rung = 0

    def ring(self, task: TaskName, *, due_at: datetime | None = None, **arguments: str) -> None:
        """Ring for one task once the transaction commits, or at `due_at` when that is later."""
        self.ring_each(task, [arguments], due_at=due_at)

    def ring_each(self, task: TaskName, each: Sequence[Mapping[str, str]], *, due_at: datetime | None = None) -> None:
        """Ring for one task with many sets of arguments, in one statement."""
        if not each:
            return
        now = self._clock.now()
        common = {"task": task.value, "request_id": current_request_id(), "created_at": now, "due_at": due_at or now}
        self._connection.execute(insert(outbox), [{**common, "arguments": dict(arguments)} for arguments in each])
        self.rung += len(each)

    def claim_due(self, limit: int) -> list[Message]:
        """Due messages, oldest first, locked until this transaction ends; those that another relay holds are passed over."""
        rows = self._connection.execute(
            select(outbox.c.id, outbox.c.task, outbox.c.arguments, outbox.c.request_id)
            .where(outbox.c.due_at <= self._clock.now())
            .order_by(outbox.c.due_at, outbox.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return [Message(id=row.id, task=row.task, arguments=row.arguments, request_id=row.request_id) for row in rows]

    def remove(self, ids: Sequence[int]) -> None:
        """Forget messages that the broker has."""
        if ids:
            self._connection.execute(delete(outbox).where(outbox.c.id.in_(ids)))

    def postpone(self, ids: Sequence[int], seconds: float) -> None:
        """Try these again later."""
        if ids:
            due_at = self._clock.now() + timedelta(seconds=seconds)
            self._connection.execute(update(outbox).where(outbox.c.id.in_(ids)).values(due_at=due_at, attempts=outbox.c.attempts + 1))

    def find_next_due_at(self) -> datetime | None:
        """When the next message is due; None when the outbox is empty."""
        due_at: datetime | None = self._connection.execute(select(func.min(outbox.c.due_at))).scalar_one()
        return due_at

    def backlog(self) -> Backlog:
        """What is due and not sent."""
        now = self._clock.now()
        pending, oldest = self._connection.execute(select(func.count(), func.min(outbox.c.due_at)).where(outbox.c.due_at <= now)).one()
        return Backlog(pending, max(0.0, (now - oldest).total_seconds()) if oldest else 0.0)


class HeartbeatStore:
    """When which worker last consumed from which queue."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def record(self, hostname: str, queue: str, consumed_at: datetime) -> None:
        """Remember the latest moment; an older one changes nothing."""
        statement = upsert(worker_heartbeats).values(hostname=hostname, queue=queue, consumed_at=consumed_at)
        self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=["hostname", "queue"],
                set_={"consumed_at": func.greatest(worker_heartbeats.c.consumed_at, statement.excluded.consumed_at)},
            )
        )

    def list_all(self) -> list[tuple[str, str, datetime]]:
        """Hostname, queue and moment of every pair."""
        rows = self._connection.execute(select(worker_heartbeats).order_by(worker_heartbeats.c.hostname, worker_heartbeats.c.queue))
        return [(row.hostname, row.queue, row.consumed_at) for row in rows]

    def forget_before(self, moment: datetime) -> None:
        """Drop workers that are long gone."""
        self._connection.execute(delete(worker_heartbeats).where(worker_heartbeats.c.consumed_at < moment))
