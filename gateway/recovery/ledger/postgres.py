"""The rows of recoveries: opened once per target, claimed by lease, settled by epoch. Every method runs inside its caller's transaction."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from gateway.recovery.ledger.model import (
    ITSELF,
    OPEN,
    AttemptOutcome,
    Claim,
    Ended,
    Healing,
    Intent,
    RecoveryStatus,
    Tried,
    sources_of,
)
from gateway.recovery.ledger.postgres_attempts import AttemptStore
from gateway.recovery.ledger.tables import recoveries
from gateway.recovery.model import Action, FlowOrigin

SKEW_SECONDS = 1.0  # clocks of machines differ: what one of them says is due now is due for all
IS_OPEN = recoveries.c.status.in_([status.value for status in OPEN])
INTENT_COLUMNS = (
    recoveries.c.target,
    recoveries.c.fault_type,
    recoveries.c.category,
    recoveries.c.severity,
    recoveries.c.source,
    recoveries.c.fingerprint,
    recoveries.c.vendor_code,
    recoveries.c.detail,
    recoveries.c.flow_id,
    recoveries.c.request_id,
    recoveries.c.broken_since,
)


class RecoveryStore:
    """Recoveries and their attempts as rows."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._attempts = AttemptStore(connection)

    def open(self, intent: Intent, now: datetime) -> bool:
        """Write an intent down; whether it is to be carried out. Twice is harmless.

        One at a time for each target: while another recovery of its target is open, or when one was proven well after this fault
        (intents may come late, out of a spool), the new one is superseded by it at birth, and the outage began with the earlier of the two.
        """
        values = {**_values_of(intent), "recorded_at": now, "status": RecoveryStatus.PENDING.value, "due_at": now, "rung_at": now}
        for _ in range(2):  # the one that is open may be closed between the two statements
            successor = self._find_healed(intent)
            if successor is None and self._insert(values):
                return True
            successor = successor or self._find_open(intent.target)
            if successor == intent.recovery_id:
                return False
            if successor is not None:
                self._merge(values, successor, now)
                return False
        return False  # the same intent came before, and failed since

    def _merge(self, values: dict[str, Any], successor: str, now: datetime) -> None:
        merged = {"status": RecoveryStatus.SUPERSEDED.value, "superseded_by": successor, "completed_at": now}
        self._insert({**values, **merged, "due_at": None, "rung_at": None})
        broken_since = values["broken_since"]
        self._connection.execute(
            update(recoveries)
            .where(recoveries.c.id == successor, recoveries.c.broken_since > broken_since)
            .values(broken_since=broken_since)
        )

    def _insert(self, values: dict[str, Any]) -> bool:
        statement = upsert(recoveries).values(values).on_conflict_do_nothing().returning(recoveries.c.id)
        return self._connection.execute(statement).first() is not None

    def _find_open(self, target: str) -> str | None:
        found: str | None = self._connection.execute(select(recoveries.c.id).where(recoveries.c.target == target, IS_OPEN)).scalar()
        return found

    def _find_healed(self, intent: Intent) -> str | None:
        """The recovery after whose proof of health nothing of this intent is left to do."""
        found: str | None = self._connection.execute(
            select(recoveries.c.id)
            .where(
                recoveries.c.target == intent.target,
                recoveries.c.status == RecoveryStatus.RECOVERED.value,
                recoveries.c.completed_at > intent.broken_since,
            )
            .order_by(recoveries.c.completed_at)
            .limit(1)
        ).scalar()
        return found

    def heal(self, healing: Healing) -> list[Ended]:
        """Close what is open for a target that is well again, unless a recovery flow runs: its result is the outcome.

        What would have been tried next stands among the attempts as skipped.
        """
        waiting = and_(recoveries.c.target == healing.target, recoveries.c.status.in_(_sources(RecoveryStatus.RECOVERED)))
        held = self._connection.execute(
            select(recoveries)
            .where(waiting, recoveries.c.broken_since <= healing.healed_at, recoveries.c.execution_id.is_(None))
            .with_for_update()
        ).all()
        if not held:
            return []
        ids = [row.id for row in held]
        pending = {row.id: (row.attempts + 1, row.action) for row in held if row.status == RecoveryStatus.PENDING.value}
        self._connection.execute(
            update(recoveries)
            .where(recoveries.c.id.in_(ids))
            .values(**_ending(RecoveryStatus.RECOVERED, healing.healed_at), healed_by=ITSELF)
        )
        self._attempts.lose(ids, healing.healed_at, "The target was well before this attempt ended")
        self._attempts.skip(pending, healing.healed_at, "Not needed: the target was well by itself before this was begun")
        return [Ended(_intent(row), RecoveryStatus.RECOVERED, healing.healed_at, ITSELF) for row in held]

    def claim(self, recovery_id: str, worker: str, now: datetime, lease_until: datetime, max_seconds: float) -> Claim | None:
        """Take a recovery that is due, or whose lease ran out. None when it is neither: somebody has it, or it ended.

        One UPDATE decides; the new epoch makes every earlier holder's writing void.
        """
        due = and_(recoveries.c.status == RecoveryStatus.PENDING.value, recoveries.c.due_at <= now + timedelta(seconds=SKEW_SECONDS))
        lapsed = and_(recoveries.c.status == RecoveryStatus.RUNNING.value, recoveries.c.lease_until <= now)
        row = self._connection.execute(
            update(recoveries)
            .where(recoveries.c.id == recovery_id, or_(due, lapsed))
            .values(
                status=RecoveryStatus.RUNNING.value,
                epoch=recoveries.c.epoch + 1,
                lease_owner=worker,
                lease_until=lease_until,
                due_at=None,
                rung_at=None,
            )
            .returning(
                recoveries.c.id,
                recoveries.c.action,
                recoveries.c.origin,
                recoveries.c.epoch,
                recoveries.c.execution_id,
                recoveries.c.recorded_at,
                *INTENT_COLUMNS,
            )
        ).one_or_none()
        if row is None:
            return None
        number = self._attempts.begin(recovery_id, row.action, worker, now)
        self._connection.execute(update(recoveries).where(recoveries.c.id == recovery_id).values(attempts=number))
        overdue = (now - row.recorded_at).total_seconds() >= max_seconds
        failed = self._attempts.list_failed([recovery_id]).get(recovery_id, ())
        return Claim(_intent(row), row.epoch, number, row.execution_id, overdue, failed)

    def settle(self, claim: Claim, status: RecoveryStatus, tried: Tried, now: datetime, avoid_until: datetime) -> bool:
        """End the attempt and its recovery; False, and nothing changed, when the lease passed to another or the target healed itself."""
        recovered = status is RecoveryStatus.RECOVERED
        avoid = {"avoid": list(tried.avoid), "avoid_until": avoid_until} if tried.avoid else {}
        healed_by = None if not recovered else ITSELF if tried.already else claim.intent.action.value
        changed = self._connection.execute(
            update(recoveries).where(_held(claim), _may_become(status)).values(**_ending(status, now), healed_by=healed_by, **avoid)
        ).rowcount
        if not changed:
            return False
        done = AttemptOutcome.SKIPPED if tried.already else AttemptOutcome.SUCCEEDED
        self._attempts.end(claim, done if recovered else AttemptOutcome.FAILED, tried, now)
        return True

    def postpone(self, claim: Claim, tried: Tried, now: datetime, due_at: datetime, action: Action) -> bool:
        """End a failed attempt, or leave a waiting one open, and try `action` at `due_at`; False as `settle`."""
        changed = self._connection.execute(
            update(recoveries)
            .where(_held(claim), _may_become(RecoveryStatus.PENDING))
            .values(
                status=RecoveryStatus.PENDING.value,
                due_at=due_at,
                rung_at=due_at,
                lease_until=None,
                action=action.value,
                execution_id=func.coalesce(tried.execution_id, recoveries.c.execution_id),
            )
        ).rowcount
        if not changed:
            return False
        outcome = AttemptOutcome.WAITING if tried.is_waiting else AttemptOutcome.FAILED
        self._attempts.end(claim, outcome, tried, None if tried.is_waiting else now)
        return True

    def take_unheard(self, now: datetime, rung_before: datetime, limit: int) -> list[str]:
        """Recoveries that should be under way and are not: due but rung for long ago, or held by a worker whose lease ran out.

        They are marked as rung now, so that the next sweep leaves them alone for a while.
        """
        due = and_(recoveries.c.status == RecoveryStatus.PENDING.value, recoveries.c.rung_at < rung_before)
        lapsed = and_(
            recoveries.c.status == RecoveryStatus.RUNNING.value,
            recoveries.c.lease_until <= now,
            or_(recoveries.c.rung_at.is_(None), recoveries.c.rung_at < rung_before),
        )
        unheard = select(recoveries.c.id).where(or_(due, lapsed)).limit(limit).with_for_update(skip_locked=True).cte("unheard")
        statement = update(recoveries).where(recoveries.c.id == unheard.c.id).values(rung_at=now).returning(recoveries.c.id)
        return list(self._connection.execute(statement).scalars())

    def release(self, workers: str, now: datetime) -> list[str]:
        """End the leases of workers whose names begin so; returns their recoveries. The new epoch makes their writing void.

        The leases end a little ago: clocks of machines differ, and what is rung for must be free for whoever hears it.
        """
        statement = (
            update(recoveries)
            .where(recoveries.c.status == RecoveryStatus.RUNNING.value, recoveries.c.lease_owner.startswith(workers, autoescape=True))
            .values(epoch=recoveries.c.epoch + 1, lease_until=now - timedelta(seconds=SKEW_SECONDS), rung_at=now)
            .returning(recoveries.c.id)
        )
        return list(self._connection.execute(statement).scalars())

    def fail_overdue(self, now: datetime, recorded_before: datetime, limit: int) -> list[Ended]:
        """Fail what was open for too long and no worker holds."""
        unheld = or_(recoveries.c.lease_until.is_(None), recoveries.c.lease_until <= now)
        overdue = (
            select(recoveries.c.id)
            .where(IS_OPEN, recoveries.c.recorded_at < recorded_before, unheld)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("overdue")
        )
        rows = self._connection.execute(
            update(recoveries)
            .where(recoveries.c.id == overdue.c.id)
            .values(**_ending(RecoveryStatus.FAILED, now))
            .returning(recoveries.c.id, recoveries.c.action, recoveries.c.origin, *INTENT_COLUMNS)
        ).all()
        ids = [row.id for row in rows]
        self._attempts.lose(ids, now, "It took longer than a recovery may")
        failed = self._attempts.list_failed(ids)
        return [Ended(_intent(row), RecoveryStatus.FAILED, now, None, failed.get(row.id, ())) for row in rows]

    def delete_ended_before(self, moment: datetime, limit: int) -> int:
        """Forget up to `limit` recoveries that ended before this moment; returns how many."""
        old = select(recoveries.c.id).where(recoveries.c.completed_at < moment).limit(limit)
        return self._connection.execute(delete(recoveries).where(recoveries.c.id.in_(old))).rowcount


def _held(claim: Claim) -> ColumnElement[bool]:
    """The fence: only the holder of the latest epoch writes."""
    return and_(
        recoveries.c.id == claim.recovery_id, recoveries.c.epoch == claim.epoch, recoveries.c.status == RecoveryStatus.RUNNING.value
    )


def _may_become(status: RecoveryStatus) -> ColumnElement[bool]:
    return recoveries.c.status.in_(_sources(status))


def _sources(status: RecoveryStatus) -> list[str]:
    return [source.value for source in sources_of(status)]


def _ending(status: RecoveryStatus, at: datetime) -> dict[str, Any]:
    return {"status": status.value, "completed_at": at, "due_at": None, "rung_at": None, "lease_until": None}


def _values_of(intent: Intent) -> dict[str, Any]:
    values = {column.name: getattr(intent, column.name) for column in INTENT_COLUMNS}
    return {**values, "id": intent.recovery_id, "action": intent.action.value, "origin": origin_document(intent.origin)}


def _intent(row: Row[Any]) -> Intent:
    values = {column.name: getattr(row, column.name) for column in INTENT_COLUMNS}
    return Intent(**values, recovery_id=row.id, action=Action(row.action), origin=read_origin(row.origin))


def origin_document(origin: FlowOrigin | None) -> dict[str, str | None] | None:
    """As JSON."""
    return {"flowId": origin.flow_id, "executionId": origin.execution_id, "nodeId": origin.node_id} if origin else None


def read_origin(document: dict[str, Any] | None) -> FlowOrigin | None:
    """From JSON."""
    return FlowOrigin(document["flowId"], document["executionId"], document.get("nodeId")) if document else None
