"""The pattern index in PostgreSQL: by meaning where pgvector is installed, by exact fingerprint everywhere.

Points are rows with a plain array. pgvector casts it when it compares (`real[] -> vector`), so nothing has to be migrated when the
extension comes or goes. With the cap on patterns a scan of all points takes a few ms: no approximate index is needed.
Source: https://github.com/pgvector/pgvector#vector-functions (`<=>` is the cosine distance).
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from gateway.databases.errors import DatabaseDisabled
from gateway.recovery.patterns import tables
from gateway.recovery.patterns.embedding import VERSION
from gateway.recovery.patterns.ports import Neighbour, Point

POINT = tables.points.c
HAS_PGVECTOR = sa.text("SELECT to_regtype('vector') IS NOT NULL")
# The order is by what is shown, so that equals stand by fingerprint, as in every adapter.
NEAREST = sa.text("""
    SELECT fingerprint, round((1 - (vector::vector <=> CAST(:vector AS real[])::vector))::numeric, 6)::float8 AS similarity
    FROM pattern_points WHERE version = :version ORDER BY similarity DESC, fingerprint LIMIT :limit
""")


class ExactIndex:
    """Knows the very same pattern only. `transaction` is gateway.databases.postgres.Postgres.transaction."""

    name = "fingerprint"

    def __init__(self, transaction: Callable[[], AbstractContextManager[sa.Connection]]) -> None:
        self._transaction = transaction

    def is_ready(self) -> bool:
        return True  # the migration made it

    def prepare(self) -> None:
        """There is nothing to make."""

    def put(self, points: Sequence[Point]) -> None:
        if not points:
            return
        rows = [{"fingerprint": point.fingerprint, "version": VERSION, "vector": list(point.vector)} for point in points]
        statement = insert(tables.points).values(sorted(rows, key=lambda row: str(row["fingerprint"])))
        said = statement.excluded
        changed = statement.on_conflict_do_update(
            index_elements=["fingerprint"], set_={"version": said.version, "vector": said.vector, "shared_at": None}
        )
        with self._transaction() as connection:
            connection.execute(changed)

    def nearest(self, point: Point, limit: int) -> tuple[Neighbour, ...]:
        same = sa.select(POINT.fingerprint).where(POINT.fingerprint == point.fingerprint, POINT.version == VERSION).limit(limit)
        with self._transaction() as connection:
            return tuple(Neighbour(fingerprint, 1.0) for fingerprint in connection.execute(same).scalars())

    def forget(self, fingerprints: Sequence[str]) -> None:
        with self._transaction() as connection:
            connection.execute(sa.delete(tables.points).where(POINT.fingerprint.in_(fingerprints)))


class PgvectorIndex(ExactIndex):
    """Compares all points by pgvector.

    Raises, from `nearest`:
        DatabaseDisabled: this PostgreSQL has no pgvector. Looked up each time: it may be installed at any moment.
    """

    name = "postgres"

    def nearest(self, point: Point, limit: int) -> tuple[Neighbour, ...]:
        with self._transaction() as connection:
            if not connection.execute(HAS_PGVECTOR).scalar_one():
                raise DatabaseDisabled("PostgreSQL has no pgvector; run CREATE EXTENSION vector to enable it")
            rows = connection.execute(NEAREST, {"vector": list(point.vector), "version": VERSION, "limit": limit})
            return tuple(Neighbour(row.fingerprint, row.similarity) for row in rows)


class PointStore:
    """Which patterns have no point yet, and which points Weaviate has not. Every method raises DatabaseError."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[sa.Connection]]) -> None:
        self._transaction = transaction

    def list_unembedded(self, limit: int) -> list[str]:
        """Fingerprints of patterns without a point of this embedding."""
        pattern = tables.patterns.c
        current = sa.and_(POINT.fingerprint == pattern.fingerprint, POINT.version == VERSION)
        missing = (
            sa.select(pattern.fingerprint)
            .where(sa.not_(pattern.is_other), ~sa.exists().where(current))
            .order_by(pattern.fingerprint)
            .limit(limit)
        )
        with self._transaction() as connection:
            return list(connection.execute(missing).scalars())

    def list_unshared(self, limit: int) -> list[Point]:
        """Points of this embedding that Weaviate has not."""
        waiting = sa.select(POINT.fingerprint, POINT.vector).where(POINT.version == VERSION, POINT.shared_at.is_(None))
        with self._transaction() as connection:
            return [Point(row.fingerprint, tuple(row.vector)) for row in connection.execute(waiting.limit(limit))]

    def mark_shared(self, points: Sequence[Point]) -> None:
        """Weaviate has these."""
        names = sorted(point.fingerprint for point in points)
        with self._transaction() as connection:
            connection.execute(sa.update(tables.points).where(POINT.fingerprint.in_(names)).values(shared_at=sa.func.now()))

    def unshare_all(self) -> None:
        """Weaviate has none of them any more."""
        with self._transaction() as connection:
            connection.execute(sa.update(tables.points).where(POINT.shared_at.is_not(None)).values(shared_at=None))
