"""Upload what was learned to the Flow Registry: what changed since it last took it, each pattern whole, so that twice is harmless.

A pattern that changes is uploaded again, replacing the flow with newer counts. A registry that is away ends the round, and the patterns
stay due; one that refuses a pattern gets it again after a wait that doubles up to an hour. Nothing is marked before the registry said yes.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from gateway.clock import Clock
from gateway.errors import Conflict, GatewayError, InvalidInput
from gateway.recovery.patterns.documents import document_of, flow_id_of
from gateway.recovery.patterns.model import Outcome, Pattern, Suggestion
from gateway.recovery.patterns.ports import PatternRegistry
from gateway.recovery.patterns.postgres_uploads import Claimed, UploadStore

log = structlog.get_logger(__name__)

BATCH_PATTERNS = 20
LEASE_SECONDS = 180.0  # a batch of 20, two calls of 2 s each, and as much again
ROUND_SECONDS = 45.0  # the next round begins a minute later
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 60.0, 3600.0


class PatternUploads:
    """What waits for the registry.

    Args:
        suggest: what is suggested for a pattern now.
    """

    def __init__(
        self,
        store: UploadStore,
        registry: PatternRegistry,
        suggest: Callable[[Pattern, tuple[Outcome, ...]], Suggestion],
        clock: Clock,
    ) -> None:
        self._store = store
        self._registry = registry
        self._suggest = suggest
        self._clock = clock

    def upload(self) -> int:
        """One round; the number of patterns that the registry took. Harmless at any time, and many at once.

        Raises:
            DatabaseError: PostgreSQL failed; what is leased comes again when its lease ends.
        """
        taken = 0
        ends_at = self._clock.monotonic() + ROUND_SECONDS
        while self._clock.monotonic() < ends_at:
            now = self._clock.now()
            lease_until = now + timedelta(seconds=LEASE_SECONDS)
            claimed = self._store.claim(now, lease_until, BATCH_PATTERNS)
            if not claimed:
                break
            done, away = self._upload_batch(claimed, lease_until)
            taken += done
            if away:
                break
        if taken:
            log.info("patterns_uploaded", count=taken)
        return taken

    def _upload_batch(self, claimed: list[Claimed], lease_until: datetime) -> tuple[int, bool]:
        """How many the registry took, and whether it is away: then the others are given back untried."""
        taken = 0
        for number, each in enumerate(claimed):
            try:
                self._send(each)
            except (Conflict, InvalidInput) as error:
                wait = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** min(each.failures, 10))
                due_at = self._clock.now() + timedelta(seconds=wait)
                self._store.postpone(each.pattern, lease_until, due_at, problem=error.detail)
                log.warning("pattern_upload_refused", fingerprint=each.pattern.facts.fingerprint, code=error.code, delay_seconds=wait)
            except GatewayError as error:
                for left in (*claimed[number + 1 :], each):  # the one it broke on comes last: it may be the reason
                    self._store.postpone(left.pattern, lease_until, self._clock.now())
                log.info("pattern_upload_postponed", code=error.code, waiting=len(claimed) - number)
                return taken, True
            else:
                taken += self._store.uploaded(each.pattern, lease_until, self._clock.now())
        return taken, False

    def _send(self, claimed: Claimed) -> None:
        """Replace the flow, or register it: first whichever is likelier."""
        pattern = claimed.pattern
        document = document_of(pattern, claimed.outcomes, self._suggest(pattern, claimed.outcomes))
        if pattern.uploaded_at is not None and self._registry.replace(document):
            return
        try:
            self._registry.register(document)
        except Conflict:
            if not self._registry.replace(document):
                raise Conflict(f"The Flow Registry holds another flow of the name of {flow_id_of(pattern.facts.fingerprint)}") from None
