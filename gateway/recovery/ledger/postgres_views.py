"""Reading the ledger. Every method runs inside its caller's transaction."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, func, select

from gateway.recovery.ledger.errors import RecoveryNotFound
from gateway.recovery.ledger.model import Attempt, AttemptOutcome, RecoveryPage, RecoveryStatus, RecoverySummary, RecoveryView
from gateway.recovery.ledger.postgres import read_origin
from gateway.recovery.ledger.tables import recoveries, recovery_attempts

SAME_NAME = (
    "target",
    "fault_type",
    "category",
    "severity",
    "source",
    "fingerprint",
    "vendor_code",
    "detail",
    "action",
    "flow_id",
    "execution_id",
    "request_id",
    "superseded_by",
    "broken_since",
    "recorded_at",
    "completed_at",
    "healed_by",
)


class LedgerReader:
    """What was written down, as it is shown."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get_view(self, recovery_id: str) -> RecoveryView:
        """One recovery with its attempts. The id of one that was merged leads to the one that carries it out.

        Raises:
            RecoveryNotFound
        """
        row = self._find(recovery_id)
        if row is not None and row["superseded_by"]:
            row = self._find(row["superseded_by"]) or row
        if row is None:
            raise RecoveryNotFound("There is no recovery of this id")
        attempts = (
            self._connection.execute(
                select(recovery_attempts).where(recovery_attempts.c.recovery_id == row["id"]).order_by(recovery_attempts.c.number)
            )
            .mappings()
            .all()
        )
        merged = self._connection.execute(select(recoveries.c.id).where(recoveries.c.superseded_by == row["id"]).order_by(recoveries.c.id))
        return RecoveryView(**vars(_summary(row)), attempts=tuple(_attempt(each) for each in attempts), merged_ids=tuple(merged.scalars()))

    def list_page(self, target: str | None, status: RecoveryStatus | None, limit: int, offset: int) -> RecoveryPage:
        """A page, newest first. Those that were merged are shown only when they are asked for by their status."""
        matching: list[ColumnElement[bool]] = [
            recoveries.c.status == status.value if status else recoveries.c.status != RecoveryStatus.SUPERSEDED.value
        ]
        if target is not None:
            matching.append(recoveries.c.target == target)
        total = self._connection.execute(select(func.count()).select_from(recoveries).where(*matching)).scalar_one()
        rows = self._connection.execute(
            select(recoveries)
            .where(*matching)
            .order_by(recoveries.c.broken_since.desc(), recoveries.c.id.desc())
            .limit(limit)
            .offset(offset)
        ).mappings()
        return RecoveryPage(tuple(_summary(row) for row in rows), total)

    def _find(self, recovery_id: str) -> RowMapping | None:
        return self._connection.execute(select(recoveries).where(recoveries.c.id == recovery_id)).mappings().one_or_none()


def _summary(row: RowMapping) -> RecoverySummary:
    values: dict[str, Any] = {name: row[name] for name in SAME_NAME}
    return RecoverySummary(
        **values,
        id=row["id"],
        status=RecoveryStatus(row["status"]),
        next_attempt_at=row["due_at"],
        attempt_count=row["attempts"],
        origin=read_origin(row["origin"]),
    )


def _attempt(row: RowMapping) -> Attempt:
    values = {name: row[name] for name in row if name not in {"recovery_id", "outcome"}}
    return Attempt(**values, outcome=AttemptOutcome(row["outcome"]))
