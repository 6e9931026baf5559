"""The rows of what the registry still has to be told. Every method runs inside its caller's transaction."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, insert, or_, select, update

from gateway.executions.model import ExecutionStatus
from gateway.executions.tables import execution_reports, executions

SKEW_SECONDS = 1.0
Values = dict[str, Any]


class ReportState(StrEnum):
    """How much the registry knows."""

    UNREPORTED = "unreported"
    STARTED = "started"
    DELIVERED = "delivered"  # the end too; opened again when the execution is retried
    REFUSED = "refused"  # the registry keeps no record of this run
    GIVEN_UP = "given_up"


CLOSED = (ReportState.REFUSED.value, ReportState.GIVEN_UP.value)


@dataclass(frozen=True)
class ReportClaim:
    """One worker's hold on one report; `epoch` fences it.

    `told`: the status that the registry knows; None before it knows any. `records`: that it made of this execution. `since`: when what
    is to be told happened.
    """

    execution_id: str
    epoch: int
    state: ReportState
    registry_execution_id: str | None
    attempts: int
    told: ExecutionStatus | None
    records: int
    since: datetime | None


class ReportStore:
    """Reports as rows: one per execution, delivered in order."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, execution_id: str, due_at: datetime) -> None:
        """A new execution: its start is to be reported."""
        self._connection.execute(
            insert(execution_reports).values(execution_id=execution_id, state=ReportState.UNREPORTED.value, due_at=due_at, since=due_at)
        )

    def changed(self, execution_id: str, now: datetime) -> None:
        """Its new status is to be reported too; a report that waits for its next try keeps its time."""
        self._connection.execute(
            update(execution_reports)
            .where(execution_reports.c.execution_id == execution_id, execution_reports.c.due_at.is_(None), _is_open())
            .values(due_at=now, since=now)
        )

    def claim(self, execution_id: str, worker: str, now: datetime, lease_until: datetime) -> ReportClaim | None:
        """Take a report that is due and that nobody holds; None otherwise."""
        row = self._connection.execute(
            update(execution_reports)
            .where(
                execution_reports.c.execution_id == execution_id,
                _is_open(),
                execution_reports.c.due_at <= now + timedelta(seconds=SKEW_SECONDS),
                or_(execution_reports.c.lease_until.is_(None), execution_reports.c.lease_until <= now),
            )
            .values(epoch=execution_reports.c.epoch + 1, lease_owner=worker, lease_until=lease_until)
            .returning(execution_reports)
        ).one_or_none()
        if row is None:
            return None
        return ReportClaim(
            execution_id=execution_id,
            epoch=row.epoch,
            state=ReportState(row.state),
            registry_execution_id=row.registry_execution_id,
            attempts=row.attempts,
            told=ExecutionStatus(row.told_status) if row.told_status else None,
            records=row.records,
            since=row.since,
        )

    def started(self, claim: ReportClaim, registry_execution_id: str, now: datetime) -> bool:
        """The registry has a new record, of a run under way. True when the execution's status is another: it is due, and the hold stays."""
        values = {"registry_execution_id": registry_execution_id, "records": claim.records + 1}
        return self._told(claim, ExecutionStatus.RUNNING, now, {"lease_until": execution_reports.c.lease_until}, values)

    def told(self, claim: ReportClaim, status: ExecutionStatus, now: datetime) -> bool:
        """The registry knows this status. True when the execution's is another meanwhile: it is due."""
        return self._told(claim, status, now, {"lease_until": None}, {})

    def _told(self, claim: ReportClaim, status: ExecutionStatus, now: datetime, if_behind: Values, values: Values) -> bool:
        """The lock on the execution's row makes this and `changed` take turns."""
        current = self._connection.execute(
            select(executions.c.status).where(executions.c.id == claim.execution_id).with_for_update()
        ).scalar_one_or_none()
        behind = current is not None and current != status.value
        due = {"due_at": now, "since": now, **if_behind} if behind else {"due_at": None, "since": None, "lease_until": None}
        state = ReportState.DELIVERED if status.is_final else ReportState.STARTED
        kept = self._connection.execute(
            update(execution_reports)
            .where(_held(claim))
            .values(**values, **due, state=state.value, told_status=status.value, attempts=0, last_error=None)
        ).rowcount
        return behind and kept == 1

    def release(self, workers: str, now: datetime) -> list[str]:
        """Give up the reports in the hands of workers whose names begin so; returns their executions."""
        rows = self._connection.execute(
            update(execution_reports)
            .where(
                _is_open(),
                execution_reports.c.due_at.is_not(None),
                execution_reports.c.lease_until.is_not(None),
                execution_reports.c.lease_owner.startswith(workers, autoescape=True),
            )
            .values(epoch=execution_reports.c.epoch + 1, lease_until=None, due_at=now)
            .returning(execution_reports.c.execution_id)
        )
        return list(rows.scalars())

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
    return execution_reports.c.state.not_in(CLOSED)


def _held(claim: ReportClaim) -> ColumnElement[bool]:
    return and_(execution_reports.c.execution_id == claim.execution_id, execution_reports.c.epoch == claim.epoch)
