"""Patterns: every fault teaches the next. What others call."""

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import structlog

from gateway.background import BackgroundLoop
from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.recovery.classify import classify
from gateway.recovery.fingerprint import kernel
from gateway.recovery.ledger.model import ITSELF, Ended, RecoveryStatus
from gateway.recovery.model import Action, Fault, FaultType, FlowOrigin
from gateway.recovery.patterns.buffer import PatternBuffer
from gateway.recovery.patterns.errors import PatternNotFound
from gateway.recovery.patterns.evidence import Evidence, fade
from gateway.recovery.patterns.index import PatternIndexes
from gateway.recovery.patterns.learning import Learning
from gateway.recovery.patterns.model import Facts, Outcome, Pattern, PatternPage, PatternView, Related, Suggestion
from gateway.recovery.patterns.postgres import PatternStore
from gateway.recovery.patterns.suggest import LEARNED, explore, suggest
from gateway.recovery.policy import RecoveryPolicy, alternatives_to
from gateway.recovery.rules import Verdict

log = structlog.get_logger(__name__)

FLUSH_SECONDS = 2.0
REFRESH_SECONDS = 10.0
FILL_SECONDS = 15.0
FORGET_SECONDS = 3600.0
RETENTION = timedelta(days=90)  # evidence is worth a thousandth of itself long before
MAX_EVIDENCE = MAX_KINDS = 5000
MAX_RELATED = 5
RELATED_FROM = 0.45  # cosine; in benchmarks/causes.py one cause in two engines has 0.6 to 0.95, strangers have less than 0.4
STOP_SECONDS = 3.0
TYPES = frozenset(FaultType)
# Nobody is told by likeness alone that the mistake is his own, and what is unknown teaches nothing.
NEVER_GUESSED = frozenset((FaultType.UNKNOWN, FaultType.VALIDATION, FaultType.NOT_FOUND, FaultType.CONFLICT))


class Patterns:
    """What others call. `classify`, `observe`, `record_outcome` and `suggest` take no call to any server (decision 4).

    Args:
        policy: its allow-list says what may be done automatically; learning chooses nothing else.
        explore_share: 0 to 1; of the recoveries that begin with an alternative that has no 20 tries. `roll`: where chance comes from.
    """

    def __init__(
        self,
        *,
        buffer: PatternBuffer,
        learning: Learning,
        store: PatternStore,
        indexes: PatternIndexes,
        clock: Clock,
        policy: RecoveryPolicy | None = None,
        explore_share: float = 0.0,
        roll: Callable[[], float] = random.random,
    ) -> None:
        self._buffer = buffer
        self._learning = learning
        self._store = store
        self._indexes = indexes
        self._clock = clock
        self.policy = policy or RecoveryPolicy()
        self._explore_share = explore_share
        self._roll = roll
        self._evidence: Mapping[str, Mapping[Action, Evidence]] = {}
        self._kinds: Mapping[tuple[str, str], Verdict] = {}
        self._loop = BackgroundLoop("patterns", self._step)
        self._refresh_at = self._fill_at = clock.monotonic()
        self._forget_at = clock.monotonic() + FORGET_SECONDS

    def classify(self, error: BaseException, *, origin: FlowOrigin | None = None) -> Fault:
        """What `gateway.recovery.classify` says; of an error that no table knows, what faults of its source were that said the same."""
        return classify(error, origin=origin, learned=lambda source, kernel: self._kinds.get((source, kernel)))

    def observe(self, fault: Fault) -> None:
        """Count a classified fault. O(1), no I/O, never raises. A refused call broke nothing anew: what opened the breaker was counted."""
        if not fault.refused:
            self._buffer.add_fault(fault, self._clock.now())

    def record_outcome(self, fingerprint: str, action: Action, *, success: bool, duration_ms: float) -> None:
        """Count how one try of an action on a fault of this pattern ended. O(1), no I/O, never raises.

        Args:
            duration_ms: from the fault to being well again; counted for successes.
        """
        self._buffer.add_outcome(fingerprint, action, success=success, duration_ms=duration_ms, at=self._clock.now())

    def recovery_ended(self, ended: Ended) -> None:
        """Learn from a recovery: one try for each of its actions, which healed the target or failed.

        A target that healed by itself says nothing of what was tried before, nor does a recovery that was merged.
        """
        healed = ended.status is RecoveryStatus.RECOVERED
        if ended.status is RecoveryStatus.SUPERSEDED or (healed and ended.healed_by == ITSELF):
            return
        outcomes = dict.fromkeys(ended.failed, False) | ({Action(ended.healed_by): True} if healed and ended.healed_by else {})
        for action, success in outcomes.items():
            self.record_outcome(ended.intent.fingerprint, action, success=success, duration_ms=ended.duration_ms)

    def explore(self, fault: Fault, action: Action) -> Action:
        """What to begin with instead of `action`: the same nearly always, else an alternative without enough tries. From memory."""
        evidence, now = self._evidence.get(fault.fingerprint, {}), self._clock.now()
        return explore(
            action,
            alternatives_to(action, fault.target or "", self.policy.allowed),
            tries={tried: each.tries * fade(each.at, now) for tried, each in evidence.items()},
            share=self._explore_share,
            roll=self._roll(),
        )

    def find_learned(self, fault: Fault) -> Action | None:
        """The action that healed faults of this pattern best; None without enough evidence."""
        suggested = self.suggest(fault)
        return suggested.action if suggested.reason == LEARNED else None

    def suggest(self, fault: Fault) -> Suggestion:
        """What to do about a fault: what healed this pattern best, or its category's default. From memory, at most 10 s old."""
        evidence = self._evidence.get(fault.fingerprint, {})
        return suggest(evidence, fault_type=fault.type, retryable=fault.retryable, allowed=self.policy.allowed, now=self._clock.now())

    def list_patterns(self, *, fault_type: str | None, source: str | None, limit: int, offset: int) -> PatternPage:
        """Patterns, last seen first; nothing is said of related ones.

        Raises:
            DatabaseError: PostgreSQL cannot be asked.
        """
        found, total = self._store.list_patterns(fault_type=fault_type, source=source, limit=limit, offset=offset)
        return PatternPage(tuple(PatternView(pattern, tried, self.suggestion(pattern, tried)) for pattern, tried in found), total)

    def get(self, fingerprint: str) -> PatternView:
        """One pattern, and those that mean something similar.

        Raises:
            PatternNotFound: nothing of this fingerprint was learned. DatabaseError: PostgreSQL cannot be asked.
        """
        known = self._store.find(fingerprint) if "\x00" not in fingerprint else None
        if known is None:
            raise PatternNotFound("No pattern of this fingerprint was learned")
        pattern, tried = known
        related, related_by = self._related(pattern.facts)
        return PatternView(pattern, tried, self.suggestion(pattern, tried), related, related_by)

    def suggestion(self, pattern: Pattern, outcomes: tuple[Outcome, ...]) -> Suggestion:
        """What is suggested for a pattern as it stands in its rows."""
        facts = pattern.facts
        return suggest(
            {each.action: each.evidence for each in outcomes},
            fault_type=FaultType(facts.fault_type) if facts.fault_type in TYPES else FaultType.UNKNOWN,
            retryable=facts.retryable,
            allowed=self.policy.allowed,
            now=self._clock.now(),
        )

    def start(self) -> None:
        """Start telling in the background. Call it in the process that serves."""
        self._loop.start()

    def stop(self) -> None:
        """Stop, and write down what was learned: to PostgreSQL, or to the local spool."""
        self._loop.stop(STOP_SECONDS)
        self._learning.close()

    def flush(self) -> None:
        """Tell what was learned, and fill the index, now; called by the loop, and by tests."""
        new = self._learning.tell()
        now = self._clock.monotonic()
        try:
            if new or now >= self._fill_at:
                self._fill_at = now + FILL_SECONDS
                self._indexes.fill()
            if now >= self._refresh_at:
                self._refresh_at = now + REFRESH_SECONDS
                self._evidence = self._store.list_evidence(MAX_EVIDENCE)
                self._kinds = kinds_of(self._store.list_most_seen(MAX_KINDS, but=NEVER_GUESSED))
            if now >= self._forget_at:
                self._forget_at = now + FORGET_SECONDS
                self._forget()
        except GatewayError as error:
            log.info("patterns_not_kept_up", code=error.code)

    def _step(self) -> float:
        self.flush()
        return FLUSH_SECONDS

    def _forget(self) -> None:
        while gone := self._store.forget(self._clock.now() - RETENTION):
            self._indexes.forget(gone)
            log.info("patterns_forgotten", count=len(gone))

    def _related(self, facts: Facts) -> tuple[tuple[Related, ...], str | None]:
        """Patterns near this one. That nobody can tell is no reason to fail: the pattern itself is known."""
        if facts.is_other:
            return (), None
        try:
            neighbours, served_by = self._indexes.nearest(facts, MAX_RELATED)
            near = [each for each in neighbours if each.similarity >= RELATED_FROM]
            known = self._store.list_facts([each.fingerprint for each in near])
        except GatewayError as error:
            log.info("related_patterns_not_found", code=error.code)
            return (), None
        related = [
            Related(each.fingerprint, round(each.similarity, 3), known[each.fingerprint].template, known[each.fingerprint].fault_type)
            for each in near
            if each.fingerprint in known
        ]
        return tuple(related), served_by


def kinds_of(patterns: Sequence[Facts]) -> dict[tuple[str, str], Verdict]:
    """By source and kernel, what patterns are; of two that say the same, the first counts. Types of another version are left out."""
    kinds: dict[tuple[str, str], Verdict] = {}
    for facts in patterns:
        if facts.fault_type in TYPES:
            said = facts.source, kernel(facts.template, facts.error_class)
            kinds.setdefault(said, Verdict(FaultType(facts.fault_type), facts.retryable))
    return kinds
