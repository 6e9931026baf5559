"""Carries recoveries out: claim, try the strategy, settle. Nothing is locked and no connection is held while a strategy runs."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from random import Random

import structlog

from gateway.clock import Clock
from gateway.observability.context import accept_request_id, request_context
from gateway.outbox.model import TaskName
from gateway.outbox.service import Outbox
from gateway.recovery.backoff import full_jitter_seconds
from gateway.recovery.ledger.escalating import next_action
from gateway.recovery.ledger.model import ITSELF, Claim, Ended, RecoveryStatus, Tried
from gateway.recovery.ledger.ports import OnEnded, Strategy
from gateway.recovery.ledger.postgres import RecoveryStore
from gateway.recovery.model import Action

log = structlog.get_logger(__name__)

BASE_SECONDS = 1.0
CAP_SECONDS = 10.0
LEAST_SECONDS = 0.5
FLOW_SECONDS = 1.0  # between two looks at a recovery flow that is under way
AVOID_SECONDS = 60.0  # an instance that did not answer gets no calls for this long, or until its registration ends
OVERDUE = Tried(healthy=False, detail="It took longer than a recovery may", hopeless=True)
UNKNOWN_ACTION = Tried(healthy=False, detail="This action is nothing that a worker can do", hopeless=True)


class Runner:
    """One per process. `worker` names this process in leases and attempts; `allowed`: what may be done without a human."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        strategies: Mapping[Action, Strategy],
        on_ended: Sequence[OnEnded],
        clock: Clock,
        worker: str,
        lease_seconds: float,
        max_seconds: float,
        random: Random,
        allowed: frozenset[Action] = frozenset(Action),
    ) -> None:
        self._outbox = outbox
        self._strategies = strategies
        self._on_ended = tuple(on_ended)
        self._clock = clock
        self._worker = worker
        self._lease_seconds = lease_seconds
        self._max_seconds = max_seconds
        self._random = random
        self._allowed = allowed

    def run(self, recovery_id: str) -> None:
        """Try once. Harmless when rung twice: the claim admits one runner.

        Raises:
            DatabaseError: PostgreSQL failed; the lease runs out and the sweeper rings again.
        """
        claim = self._claim(recovery_id)
        if claim is None:
            log.info("recovery_claim_refused", recovery_id=recovery_id)  # somebody has it, or it ended
            return
        fields = {"recovery_id": recovery_id, "target": claim.intent.target}
        with request_context(accept_request_id(claim.intent.request_id), **fields):
            began = self._clock.monotonic()
            tried = self._try(claim)
            log.info(
                "recovery_attempt_ended",
                action=claim.intent.action.value,
                attempt=claim.attempt,
                healthy=tried.healthy,
                reason=tried.detail,
                duration_ms=round((self._clock.monotonic() - began) * 1000),
            )
            self._settle(claim, tried)

    def tell(self, ended: Ended) -> None:
        """Tell everybody who learns from it that a recovery ended."""
        log.info(
            "recovery_ended",
            recovery_id=ended.intent.recovery_id,
            target=ended.intent.target,
            status=ended.status.value,
            healed_by=ended.healed_by,
            duration_ms=round(ended.duration_ms),
        )
        for listener in self._on_ended:
            listener(ended)

    def _claim(self, recovery_id: str) -> Claim | None:
        now = self._clock.now()
        lease_until = now + timedelta(seconds=self._lease_seconds)
        with self._outbox.transaction() as work:
            return RecoveryStore(work.connection).claim(recovery_id, self._worker, now, lease_until, self._max_seconds)

    def _try(self, claim: Claim) -> Tried:
        strategy = self._strategies.get(claim.intent.action)
        if claim.overdue or strategy is None:
            return OVERDUE if claim.overdue else UNKNOWN_ACTION
        try:
            return strategy(claim)
        except Exception as error:  # a bug in a strategy must end the attempt, not wear out its leases
            log.exception("recovery_attempt_crashed", action=claim.intent.action.value)
            return Tried(healthy=False, detail=f"The attempt crashed: {type(error).__name__}")

    def _settle(self, claim: Claim, tried: Tried) -> None:
        now = self._clock.now()
        if not tried.healthy and not tried.hopeless:
            self._postpone(claim, tried)
            return
        status = RecoveryStatus.RECOVERED if tried.healthy else RecoveryStatus.FAILED
        with self._outbox.transaction() as work:
            settled = RecoveryStore(work.connection).settle(claim, status, tried, now, now + timedelta(seconds=AVOID_SECONDS))
        if settled:
            self.tell(_ended(claim, tried, status, now))
        else:
            self._discard(claim)

    def _postpone(self, claim: Claim, tried: Tried) -> None:
        now = self._clock.now()
        due_at = now + timedelta(seconds=self._delay_seconds(claim, tried))
        with self._outbox.transaction() as work:
            if RecoveryStore(work.connection).postpone(claim, tried, now, due_at, self._next_action(claim, tried)):
                work.outbox.ring(TaskName.RUN_RECOVERY, due_at=due_at, recovery_id=claim.recovery_id)
            else:
                self._discard(claim)

    def _next_action(self, claim: Claim, tried: Tried) -> Action:
        """Another strategy when this one did not heal."""
        action = claim.intent.action
        return action if tried.is_waiting else next_action((*claim.failed, action), claim.intent.target, self._allowed)

    def _delay_seconds(self, claim: Claim, tried: Tried) -> float:
        if tried.is_waiting:
            return FLOW_SECONDS
        jittered = full_jitter_seconds(claim.attempt, base_seconds=BASE_SECONDS, cap_seconds=CAP_SECONDS, roll=self._random.random())
        return max(LEAST_SECONDS, jittered)

    def _discard(self, claim: Claim) -> None:
        """Another worker took over, or the target was well meanwhile: this one changes nothing."""
        log.info("recovery_result_discarded", epoch=claim.epoch)


def _ended(claim: Claim, tried: Tried, status: RecoveryStatus, at: datetime) -> Ended:
    action = claim.intent.action
    if tried.healthy:
        return Ended(claim.intent, status, at, ITSELF if tried.already else action.value, claim.failed)
    was_tried = tried not in (OVERDUE, UNKNOWN_ACTION)
    return Ended(claim.intent, status, at, None, (*claim.failed, action) if was_tried else claim.failed)
