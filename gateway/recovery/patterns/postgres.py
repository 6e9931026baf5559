"""Patterns as rows: what is learned comes in by batches, each exactly once; what is known is read."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from gateway.recovery.model import Action, FaultType
from gateway.recovery.patterns import tables
from gateway.recovery.patterns.evidence import BINS, Evidence
from gateway.recovery.patterns.model import Batch, Facts, Outcome, Pattern
from gateway.recovery.patterns.postgres_merging import FACTS, OUTCOME, PATTERN, evidence_of_row, merge_sightings
from gateway.recovery.patterns.rows import sample_from_json

FORGOTTEN_AT_ONCE = 500
ACTIONS = frozenset(Action)


class PatternStore:
    """`transaction` is gateway.databases.postgres.Postgres.transaction. Every method raises DatabaseError.

    Args:
        max_per_source: patterns a source may have; faults of further ones count in its `other` bucket.
    """

    def __init__(self, transaction: Callable[[], AbstractContextManager[sa.Connection]], *, max_per_source: int = 200) -> None:
        self._transaction = transaction
        self._max_per_source = max_per_source

    def merge(self, batch: Batch, at: datetime) -> int | None:
        """Add what a process learned; the number of new patterns, or None when this batch was merged before."""
        with self._transaction() as connection:
            first_time = insert(tables.merges).values(batch_id=batch.id, merged_at=at).on_conflict_do_nothing()
            if not connection.execute(first_time).rowcount:
                return None
            return merge_sightings(connection, batch.sightings, batch.outcomes, max_per_source=self._max_per_source, at=at)

    def find(self, fingerprint: str) -> tuple[Pattern, tuple[Outcome, ...]] | None:
        """The pattern and what was tried on it; None when it is unknown."""
        with self._transaction() as connection:
            row = connection.execute(sa.select(tables.patterns).where(PATTERN.fingerprint == fingerprint)).one_or_none()
            return (pattern_of_row(row), outcomes_of(connection, [fingerprint]).get(fingerprint, ())) if row else None

    def list_patterns(
        self, *, fault_type: str | None, source: str | None, limit: int, offset: int
    ) -> tuple[tuple[tuple[Pattern, tuple[Outcome, ...]], ...], int]:
        """Patterns, last seen first, and how many there are in all."""
        filters = [column == value for column, value in ((PATTERN.fault_type, fault_type), (PATTERN.source, source)) if value is not None]
        page = (
            sa.select(tables.patterns)
            .where(*filters)
            .order_by(PATTERN.last_seen_at.desc(), PATTERN.fingerprint)
            .limit(limit)
            .offset(offset)
        )
        with self._transaction() as connection:
            total = connection.execute(sa.select(sa.func.count()).select_from(tables.patterns).where(*filters)).scalar_one()
            found = [pattern_of_row(row) for row in connection.execute(page)]
            tried = outcomes_of(connection, [each.facts.fingerprint for each in found])
        return tuple((each, tried.get(each.facts.fingerprint, ())) for each in found), total

    def list_facts(self, fingerprints: Sequence[str]) -> Mapping[str, Facts]:
        """The facts of those that are known, by fingerprint."""
        with self._transaction() as connection:
            rows = connection.execute(sa.select(*(PATTERN[name] for name in FACTS)).where(PATTERN.fingerprint.in_(fingerprints)))
            return {row.fingerprint: Facts(**row._mapping) for row in rows}

    def list_most_seen(self, limit: int, *, but: Collection[FaultType]) -> Sequence[Facts]:
        """The facts of patterns, the most often seen first, without those of some types."""
        wanted = (
            sa.select(*(PATTERN[name] for name in FACTS))
            .where(PATTERN.fault_type.not_in(but))
            .order_by(PATTERN["count"].desc(), PATTERN.fingerprint)
            .limit(limit)
        )
        with self._transaction() as connection:
            return [Facts(**row._mapping) for row in connection.execute(wanted)]

    def list_evidence(self, limit: int) -> Mapping[str, Mapping[Action, Evidence]]:
        """By fingerprint and action, the latest evidence first; without times to recover."""
        columns = (OUTCOME.fingerprint, OUTCOME.action, OUTCOME.attempts, OUTCOME.successes, OUTCOME.tries, OUTCOME.wins, OUTCOME.at)
        found: dict[str, dict[Action, Evidence]] = {}
        with self._transaction() as connection:
            for row in connection.execute(sa.select(*columns).order_by(OUTCOME.at.desc()).limit(limit)):
                if row.action in ACTIONS:
                    evidence = Evidence(row.attempts, row.successes, row.tries, row.wins, (0.0,) * BINS, row.at)
                    found.setdefault(row.fingerprint, {})[Action(row.action)] = evidence
        return found

    def forget(self, before: datetime) -> list[str]:
        """Remove patterns, outcomes and merges last heard of before; the fingerprints of the patterns, some at a time."""
        old = (
            sa.select(PATTERN.fingerprint)
            .where(PATTERN.last_seen_at < before)
            .order_by(PATTERN.fingerprint)
            .limit(FORGOTTEN_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        with self._transaction() as connection:
            gone = list(connection.execute(old).scalars())
            for table in (tables.patterns, tables.outcomes, tables.points):
                connection.execute(sa.delete(table).where(table.c.fingerprint.in_(gone)))
            orphans = ~sa.exists().where(PATTERN.fingerprint == OUTCOME.fingerprint)
            connection.execute(sa.delete(tables.outcomes).where(OUTCOME.at < before, orphans))
            connection.execute(sa.delete(tables.merges).where(tables.merges.c.merged_at < before))
        return gone


def pattern_of_row(row: Any) -> Pattern:
    """The pattern of a row."""
    return Pattern(
        facts=Facts(**{name: row._mapping[name] for name in FACTS}),
        count=row._mapping["count"],
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
        samples=tuple(map(sample_from_json, row.samples)),
        revision=row.revision,
        uploaded_at=row.uploaded_at,
        uploaded_count=row.uploaded_count,
    )


def outcomes_of(connection: sa.Connection, fingerprints: Iterable[str]) -> dict[str, tuple[Outcome, ...]]:
    """What was tried on each; an action that this version does not know is left out."""
    wanted = sa.select(tables.outcomes).where(OUTCOME.fingerprint.in_(list(fingerprints))).order_by(OUTCOME.fingerprint, OUTCOME.action)
    found: dict[str, list[Outcome]] = {}
    for row in connection.execute(wanted):
        if row.action in ACTIONS:
            found.setdefault(row.fingerprint, []).append(Outcome(row.fingerprint, Action(row.action), evidence_of_row(row)))
    return {fingerprint: tuple(outcomes) for fingerprint, outcomes in found.items()}
