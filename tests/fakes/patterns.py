"""The patterns room as the container wires it, over a PostgreSQL whose failures a test decides; and faults to learn from."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from config.databases import PostgresSettings
from gateway.clock import Clock
from gateway.databases.errors import DatabaseUnreachable
from gateway.databases.postgres import Postgres
from gateway.recovery.classify import classify
from gateway.recovery.model import Action, Fault
from gateway.recovery.patterns.buffer import PatternBuffer
from gateway.recovery.patterns.index import PatternIndexes
from gateway.recovery.patterns.index_postgres import ExactIndex, PgvectorIndex, PointStore
from gateway.recovery.patterns.learning import Learning
from gateway.recovery.patterns.ports import Neighbour, PatternIndex, PatternRegistry, Point
from gateway.recovery.patterns.postgres import PatternStore
from gateway.recovery.patterns.postgres_uploads import UploadStore
from gateway.recovery.patterns.service import Patterns
from gateway.recovery.patterns.upload import PatternUploads
from gateway.recovery.policy import RecoveryPolicy
from gateway.recovery.registry import Breakers
from gateway.spool import FileSpool

ALL_ACTIONS = frozenset(Action)


class FailingPostgres:
    """PostgreSQL that is away while `down`, and that commits without an answer while `deaf`."""

    def __init__(self, url: str) -> None:
        self.postgres = Postgres(PostgresSettings.read({"DATABASE_URL": url}))
        self.down = self.deaf = False

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        if self.down:
            raise DatabaseUnreachable("postgres", "PostgreSQL cannot be reached")
        with self.postgres.transaction() as connection:
            yield connection
        if self.deaf:
            raise DatabaseUnreachable("postgres", "The connection to PostgreSQL was lost")


@dataclass
class PatternsRoom:
    """One process's patterns. Several over one URL are several workers."""

    url: str
    directory: Path
    clock: Clock
    registry: PatternRegistry | None = None
    remote: PatternIndex | None = None
    allowed: frozenset[Action] = ALL_ACTIONS
    max_per_source: int = 200
    explore_share: float = 0.0
    spool_bytes: int = 1_000_000
    max_fingerprints: int = 2000
    postgres: FailingPostgres = field(init=False)
    patterns: Patterns = field(init=False)

    def __post_init__(self) -> None:
        self.postgres = FailingPostgres(self.url)
        transaction = self.postgres.transaction
        self.store = PatternStore(transaction, max_per_source=self.max_per_source)
        self.breakers = Breakers(self.clock)
        self.buffer = PatternBuffer(max_fingerprints=self.max_fingerprints)
        self.spool = FileSpool(self.directory, "patterns", self.spool_bytes)
        self.learning = Learning(self.buffer, self.store, self.spool, self.breakers, self.clock)
        local = [PgvectorIndex(transaction), ExactIndex(transaction)]
        self.indexes = PatternIndexes(self.remote, local, PointStore(transaction), self.store, self.breakers)
        self.patterns = Patterns(
            buffer=self.buffer,
            learning=self.learning,
            store=self.store,
            indexes=self.indexes,
            clock=self.clock,
            policy=RecoveryPolicy(allowed=self.allowed),
            explore_share=self.explore_share,
        )

    @property
    def uploads(self) -> PatternUploads:
        assert self.registry
        return PatternUploads(UploadStore(self.postgres.transaction), self.registry, self.patterns.suggestion, self.clock)

    def count(self, fault: Fault) -> int:
        """How often the rows say that it was seen."""
        return self.patterns.get(fault.fingerprint).pattern.count

    def close(self) -> None:
        self.postgres.postgres.close()


@dataclass
class InMemoryIndex:
    """A PatternIndex that compares everything; `down` makes it fail."""

    name: str = "weaviate"
    down: bool = False
    prepared: bool = False
    points: dict[str, Point] = field(default_factory=dict)

    def is_ready(self) -> bool:
        self._fail_when_down()
        return self.prepared

    def prepare(self) -> None:
        self._fail_when_down()
        self.prepared = True

    def put(self, points: Any) -> None:
        self._fail_when_down()
        self.points |= {point.fingerprint: point for point in points}

    def nearest(self, point: Point, limit: int) -> tuple[Neighbour, ...]:
        self._fail_when_down()
        found = [
            Neighbour(each.fingerprint, round(sum(a * b for a, b in zip(point.vector, each.vector, strict=True)), 6))
            for each in self.points.values()
        ]
        return tuple(sorted(found, key=lambda each: (-each.similarity, each.fingerprint))[:limit])

    def forget(self, fingerprints: Any) -> None:
        self._fail_when_down()
        for fingerprint in fingerprints:
            self.points.pop(fingerprint, None)

    def _fail_when_down(self) -> None:
        if self.down:
            raise DatabaseUnreachable("weaviate", "Weaviate cannot be reached")


def fault(text: str = "the cache at 10.0.0.7:6379 is on fire", source: str = "redis", **changes: Any) -> Fault:
    """A fault as the classifier makes it."""
    return replace(classify(RuntimeError(text), source=source), **changes)
