"""The rows of what the registry still has to be told. Every method runs inside its caller's transaction."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, and_, insert, or_, select, update

from gateway.executions.tables import execution_reports, executions

SKEW_SECONDS = 1.0


class ReportState(StrEnum):
    """How much the registry knows."""

    UNREPORTED = "unreported"
    STARTED = "started"
    DELIVERED = "delivered"
    REFUSED = "refused"  # the registry keeps no record of this run
    GIVEN_UP = "given_up"


OPEN = (ReportState.UNREPORTED.value, ReportState.STARTED.value)


@dataclass(frozen=True)
class ReportClaim:
    """One worker's hold on one report; `epoch` fences it."""

    execution_id: str
    epoch: int
    state: ReportState
    registry_execution_id: str | None
    attempts: int


class ReportStore:
    """Reports as rows: one per execution, delivered in order."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, execution_id: str, due_at: datetime) -> None:
        """A new execution: its start is to be reported."""
        self._connection.execute(
            insert(execution_reports).values(execution_id=execution_id, state=ReportState.UNREPORTED.value, due_at=due_at)
        )

    def execution_ended(self, execution_id: str, now: datetime) -> None:
        """Its end is to be reported too; a report that waits for its next try keeps its time."""
        self._connection.execute(
            update(execution_reports)
            .where(execution_reports.c.execution_id == execution_id, execution_reports.c.due_at.is_(None), _is_open())
            .values(due_at=now)
        )

    def claim(self, execution_id: str, now: datetime, lease_until: datetime) -> ReportClaim | None:
        """Take a report that is due and that nobody holds; None otherwise."""
        row = self._connection.execute(
            update(execution_reports)
            .where(
                execution_reports.c.execution_id == execution_id,
                _is_open(),
                execution_reports.c.due_at <= now + timedelta(seconds=SKEW_SECONDS),
                or_(execution_reports.c.lease_until.is_(None), execution_reports.c.lease_until <= now),
            )
            .values(epoch=execution_reports.c.epoch + 1, lease_until=lease_until)
            .returning(execution_reports)
        ).one_or_none()
        if row is None:
            return None
        return ReportClaim(execution_id, row.epoch, ReportState(row.state), row.registry_execution_id, row.attempts)

    def started(self, claim: ReportClaim, registry_execution_id: str, now: datetime) -> bool:
        """The registry knows the start. True when the execution ended meanwhile: its end is due, and the hold stays.

        The lock on the execution's row makes this and `execution_ended` take turns.
        """
        ended_at = self._connection.execute(
            select(executions.c.completed_at).where(executions.c.id == claim.execution_id).with_for_update()
        ).scalar_one_or_none()
        ended = ended_at is not None
        values = {"due_at": now} if ended else {"due_at": None, "lease_until": None}
        self._connection.execute(
            update(execution_reports)
            .where(_held(claim))
            .values(state=ReportState.STARTED.value, registry_execution_id=registry_execution_id, attempts=0, last_error=None, **values)
        )
        return ended

    def close(self, claim: ReportClaim, state: ReportState, problem: str | None = None) -> None:
        """Nothing more is to be reported."""
        self._connection.execute(
            update(execution_reports).where(_held(claim)).values(state=state.value, due_at=None, lease_until=None, last_error=problem)
        )

    def postpone(self, claim: ReportClaim, due_at: datetime, problem: str) -> None:
        """Try again at `due_at`."""
        self._connection.execute(
            update(execution_reports)
            .where(_held(claim))
            .values(due_at=due_at, lease_until=None, attempts=execution_reports.c.attempts + 1, last_error=problem)
        )

    def take_unheard(self, due_before: datetime, now: datetime, limit: int) -> list[str]:
        """Reports that were due long ago and that nobody holds; marked as due now, so that the next sweep leaves them alone."""
        free = or_(execution_reports.c.lease_until.is_(None), execution_reports.c.lease_until <= now)
        unheard = (
            select(execution_reports.c.execution_id)
            .where(_is_open(), execution_reports.c.due_at < due_before, free)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("unheard")
        )
        rows = self._connection.execute(
            update(execution_reports)
            .where(execution_reports.c.execution_id == unheard.c.execution_id)
            .values(due_at=now)
            .returning(execution_reports.c.execution_id)
        )
        return list(rows.scalars())


def _is_open() -> ColumnElement[bool]:
    return execution_reports.c.state.in_(OPEN)


def _held(claim: ReportClaim) -> ColumnElement[bool]:
    return and_(execution_reports.c.execution_id == claim.execution_id, execution_reports.c.epoch == claim.epoch)
