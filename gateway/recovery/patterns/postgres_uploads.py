"""Which patterns the Flow Registry has to hear of: those that changed since it last took them, one uploader at a time for each."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from gateway.recovery.patterns import tables
from gateway.recovery.patterns.model import Outcome, Pattern
from gateway.recovery.patterns.postgres import outcomes_of, pattern_of_row
from gateway.recovery.patterns.postgres_merging import PATTERN

MAX_PROBLEM = 500


@dataclass(frozen=True, slots=True)
class Claimed:
    """A changed pattern that nobody else uploads until the lease ends."""

    pattern: Pattern
    outcomes: tuple[Outcome, ...]
    failures: int


class UploadStore:
    """`transaction` is gateway.databases.postgres.Postgres.transaction. Every method raises DatabaseError."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[sa.Connection]]) -> None:
        self._transaction = transaction

    def claim(self, now: datetime, lease_until: datetime, limit: int) -> list[Claimed]:
        """Changed patterns that are due, leased to the caller; the one that waits longest first."""
        due = (
            sa.select(PATTERN.fingerprint, PATTERN.upload_due_at.label("due_since"))
            .where(sa.not_(PATTERN.is_other), PATTERN.uploaded_revision.is_distinct_from(PATTERN.revision), PATTERN.upload_due_at <= now)
            .order_by(PATTERN.upload_due_at, PATTERN.fingerprint)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("due")
        )
        taken = (
            sa.update(tables.patterns)
            .where(PATTERN.fingerprint == due.c.fingerprint)
            .values(upload_due_at=lease_until)
            .returning(*PATTERN, due.c.due_since)
        )
        with self._transaction() as connection:
            rows = sorted(connection.execute(taken), key=lambda row: (row.due_since, row.fingerprint))
            tried = outcomes_of(connection, [row.fingerprint for row in rows])
        return [Claimed(pattern_of_row(row), tried.get(row.fingerprint, ()), row.upload_failures) for row in rows]

    def uploaded(self, pattern: Pattern, lease_until: datetime, now: datetime) -> bool:
        """The registry has it as claimed. False when the lease ended meanwhile: then somebody else says so."""
        return self._settle(
            pattern,
            lease_until,
            upload_due_at=now,
            uploaded_revision=pattern.revision,
            uploaded_count=pattern.count,
            uploaded_at=now,
            upload_failures=0,
            upload_problem=None,
        )

    def postpone(self, pattern: Pattern, lease_until: datetime, due_at: datetime, *, problem: str | None = None) -> bool:
        """Try again at `due_at`. With a problem it counts as a failure of this pattern; without one the registry is away."""
        failed = {"upload_failures": PATTERN.upload_failures + 1, "upload_problem": problem[:MAX_PROBLEM]} if problem else {}
        return self._settle(pattern, lease_until, upload_due_at=due_at, **failed)

    def _settle(self, pattern: Pattern, lease_until: datetime, **values: object) -> bool:
        mine = (PATTERN.fingerprint == pattern.facts.fingerprint, PATTERN.upload_due_at == lease_until)
        with self._transaction() as connection:
            return bool(connection.execute(sa.update(tables.patterns).where(*mine).values(**values)).rowcount)
