"""The tries of recoveries as rows. Every method runs inside its caller's transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

from gateway.recovery.ledger.model import AttemptOutcome, Claim, Tried
from gateway.recovery.ledger.tables import recovery_attempts
from gateway.recovery.model import Action

UNDER_WAY = [AttemptOutcome.RUNNING.value, AttemptOutcome.WAITING.value]
DIED = "The worker died, or did not report in time"
NOBODY = "nobody"  # whose a try is that no worker made


class AttemptStore:
    """What was tried of each recovery, by number from 1."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def begin(self, recovery_id: str, action: str, worker: str, now: datetime) -> int:
        """The number of a new try, or of the one whose recovery flow is still under way."""
        mine = recovery_attempts.c.recovery_id == recovery_id
        waiting = self._connection.execute(
            update(recovery_attempts)
            .where(mine, recovery_attempts.c.outcome == AttemptOutcome.WAITING.value)
            .values(outcome=AttemptOutcome.RUNNING.value, worker=worker)
            .returning(recovery_attempts.c.number)
        ).scalar()
        if waiting is not None:
            return int(waiting)
        self._connection.execute(
            update(recovery_attempts)
            .where(mine, recovery_attempts.c.outcome == AttemptOutcome.RUNNING.value)
            .values(outcome=AttemptOutcome.LOST.value, completed_at=now, detail=DIED)
        )
        number: int = self._connection.execute(select(func.coalesce(func.max(recovery_attempts.c.number), 0) + 1).where(mine)).scalar_one()
        started = {"outcome": AttemptOutcome.RUNNING.value, "started_at": now}
        values = {"recovery_id": recovery_id, "number": number, "action": action, "worker": worker, **started}
        self._connection.execute(insert(recovery_attempts).values(values))
        return number

    def end(self, claim: Claim, outcome: AttemptOutcome, tried: Tried, completed_at: datetime | None) -> None:
        """Only while it is this holder's: a lost one stays lost."""
        self._connection.execute(
            update(recovery_attempts)
            .where(
                recovery_attempts.c.recovery_id == claim.recovery_id,
                recovery_attempts.c.number == claim.attempt,
                recovery_attempts.c.outcome == AttemptOutcome.RUNNING.value,
            )
            .values(
                outcome=outcome.value,
                completed_at=completed_at,
                detail=tried.detail,
                execution_id=tried.execution_id or claim.execution_id,
            )
        )

    def lose(self, recovery_ids: Sequence[str], now: datetime, detail: str) -> None:
        """Those that are under way come to nothing."""
        self._connection.execute(
            update(recovery_attempts)
            .where(recovery_attempts.c.recovery_id.in_(recovery_ids), recovery_attempts.c.outcome.in_(UNDER_WAY))
            .values(outcome=AttemptOutcome.LOST.value, completed_at=now, detail=detail)
        )

    def skip(self, next_by_recovery: Mapping[str, tuple[int, str]], at: datetime, detail: str) -> None:
        """List what would have been tried next, `(number, action)` by recovery, and why it was not."""
        skipped = {"worker": NOBODY, "outcome": AttemptOutcome.SKIPPED.value, "started_at": at, "completed_at": at, "detail": detail}
        rows = [{"recovery_id": each, "number": number, "action": action, **skipped} for each, (number, action) in next_by_recovery.items()]
        if rows:
            self._connection.execute(insert(recovery_attempts), rows)

    def list_failed(self, recovery_ids: Sequence[str]) -> Mapping[str, tuple[Action, ...]]:
        """The actions of the tries that did not heal, in their order, by recovery."""
        rows = self._connection.execute(
            select(recovery_attempts.c.recovery_id, recovery_attempts.c.action)
            .where(recovery_attempts.c.recovery_id.in_(recovery_ids), recovery_attempts.c.outcome == AttemptOutcome.FAILED.value)
            .order_by(recovery_attempts.c.number)
        )
        found: dict[str, tuple[Action, ...]] = {}
        for row in rows:
            found[row.recovery_id] = (*found.get(row.recovery_id, ()), Action(row.action))
        return found
