"""The chain of pattern indexes: Weaviate, then pgvector, then the exact fingerprint. PostgreSQL holds every point, Weaviate a copy."""

from collections.abc import Sequence

import structlog

from gateway.errors import GatewayError, Unavailable
from gateway.recovery.guards import Doubts, nobody_doubts
from gateway.recovery.patterns.embedding import embed
from gateway.recovery.patterns.index_postgres import PointStore
from gateway.recovery.patterns.model import Facts
from gateway.recovery.patterns.ports import Neighbour, PatternIndex, Point
from gateway.recovery.patterns.postgres import PatternStore
from gateway.recovery.registry import Breakers
from gateway.targets import database_target

log = structlog.get_logger(__name__)

AT_ONCE = 100
# An index without a server of its own asks PostgreSQL.
TARGETS = {"weaviate": database_target("weaviate")}
POSTGRES = database_target("postgres")


class PatternIndexes:
    """Asks the first index that answers, and keeps all of them filled.

    Args:
        remote: the first choice, a copy of what PostgreSQL holds; None when Weaviate is not configured.
        local: indexes over the points in PostgreSQL, first choice first.
        doubts: whether a database is better not waited for; then it is asked last.
    """

    def __init__(
        self,
        remote: PatternIndex | None,
        local: Sequence[PatternIndex],
        points: PointStore,
        patterns: PatternStore,
        breakers: Breakers,
        *,
        doubts: Doubts = nobody_doubts,
    ) -> None:
        self._remote = remote
        self._local = tuple(local)
        self._points = points
        self._patterns = patterns
        self._breakers = breakers
        self._doubts = doubts
        self._served_by = ""

    def nearest(self, facts: Facts, limit: int) -> tuple[tuple[Neighbour, ...], str]:
        """Known patterns near this one, itself left out, and the name of the index that answered.

        Raises:
            GatewayError: no index answers.
        """
        point = Point(facts.fingerprint, embed(facts))
        failure: GatewayError = Unavailable("There is no index of patterns")
        indexes = (*([self._remote] if self._remote else []), *self._local)
        for index in sorted(indexes, key=lambda each: self._doubts(each.name)):
            try:
                with self._breakers.of(TARGETS.get(index.name, POSTGRES)).guard():
                    found = index.nearest(point, limit + 1)
            except GatewayError as error:
                failure = error
                continue
            self._note_served_by(index.name)
            return tuple(each for each in found if each.fingerprint != facts.fingerprint)[:limit], index.name
        raise failure

    def fill(self) -> int:
        """Embed what has no point yet, and copy what Weaviate has not; how many points were made.

        Raises:
            GatewayError: PostgreSQL failed. Weaviate failing is logged; what it missed comes next time.
        """
        made = 0
        while fingerprints := self._points.list_unembedded(AT_ONCE):
            facts = self._patterns.list_facts(fingerprints)
            self._local[0].put([Point(name, embed(each)) for name, each in facts.items()])
            made += len(facts)
        if self._remote:
            self._copy(self._remote)
        return made

    def forget(self, fingerprints: Sequence[str]) -> None:
        """Remove points everywhere; a Weaviate that is away keeps some that nobody knows any more, and they are not shown."""
        for index in (*self._local[:1], *([self._remote] if self._remote else [])):
            try:
                with self._breakers.of(TARGETS.get(index.name, POSTGRES)).guard():
                    index.forget(fingerprints)
            except GatewayError as error:
                log.warning("pattern_points_not_forgotten", index=index.name, code=error.code)

    def _copy(self, remote: PatternIndex) -> None:
        try:
            with self._breakers.of(TARGETS.get(remote.name, POSTGRES)).guard():
                ready = remote.is_ready()
            if not ready:
                self._points.unshare_all()  # before it is made: who dies in between leaves it to the next one
                with self._breakers.of(TARGETS.get(remote.name, POSTGRES)).guard():
                    remote.prepare()
            while points := self._points.list_unshared(AT_ONCE):
                with self._breakers.of(TARGETS.get(remote.name, POSTGRES)).guard():
                    remote.put(points)
                self._points.mark_shared(points)
        except GatewayError as error:
            log.info("pattern_points_not_copied", index=remote.name, code=error.code)

    def _note_served_by(self, name: str) -> None:
        if name != self._served_by:
            if self._served_by:
                log.warning("pattern_index_changed", before=self._served_by, now=name)
            self._served_by = name
