"""The ledger of recoveries: what the error path, tasks, views and background watchers call. Everything true about a recovery is a row."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from random import Random

import structlog

from config.recovery import RecoverySettings
from gateway.analytics.model import RecoveryEvent
from gateway.background import BackgroundLoop
from gateway.clock import Clock
from gateway.observability.context import current_request_id
from gateway.outbox.service import Outbox
from gateway.recovery.breaker_model import BreakerChange, BreakerState, Cause
from gateway.recovery.decide import LEARNABLE, Situation, decide
from gateway.recovery.ledger.flows import FlowRefresher, RecoveryFlows
from gateway.recovery.ledger.intake import Intake
from gateway.recovery.ledger.model import Ended, Intent, RecoveryFlow, RecoveryPage, RecoveryStatus, RecoveryView, target_of
from gateway.recovery.ledger.ports import FlowList, OnEnded, Strategy
from gateway.recovery.ledger.postgres_known import KnownStore
from gateway.recovery.ledger.postgres_views import LedgerReader
from gateway.recovery.ledger.runner import Runner
from gateway.recovery.ledger.sweeping import Sweeper, Swept
from gateway.recovery.ledger.watching import Snapshot, Watch
from gateway.recovery.ledger.writing import UNREACHABLE, Writer
from gateway.recovery.model import Action, Decision, Fault
from gateway.recovery.model import Strategy as When
from gateway.recovery.noticed import too_slow
from gateway.recovery.policy import DELAYED_ACTION, RecoveryPolicy
from gateway.spool import FileSpool
from gateway.targets import CONFIGURATION_SERVICE, SERVICE, kind_of

log = structlog.get_logger(__name__)

MAX_PAGE = 200
MAX_DETAIL = 1000  # characters
LEARN_SECONDS = 2.0  # how late a process may notice that another one opened or ended a recovery
AWAY_SECONDS = 1.0  # between two tries while PostgreSQL is away
SWEEP_SECONDS = 15.0  # each process sweeps as well, so that nothing is left open while beat or the workers are gone

Avoided = Mapping[str, frozenset[str]]
FindLearned = Callable[[Fault], Action | None]
Explore = Callable[[Fault, Action], Action]


def nothing_learned(_fault: Fault) -> Action | None:
    """Where nobody learns what heals."""
    return None


def nothing_explored(_fault: Fault, action: Action) -> Action:
    """Where alternatives are tried only when the usual action did not heal."""
    return action


def nobody_told(_fault: Fault) -> None:
    """Where nobody learns what watchers noticed."""


class Recoveries:
    """One per process, safe for threads. Opens nothing until it is used.

    Args:
        strategies: what a worker does, by action.
        snapshot: the poller's, read in web processes.
        on_avoid: told, after each reading, which instances (base URLs by target) should get no calls.
        on_ended: told once of each recovery that this process ended.
        policy: what may be done without a human.
        find_learned: the action that healed faults of the same pattern best, from memory.
        explore: now and then an alternative to the action that a recovery would begin with, so that there is evidence for it too.
        on_noticed: told of each fault that a watcher saw and no call of a client met. Memory only.
    """

    def __init__(
        self,
        *,
        outbox: Outbox,
        spool: FileSpool,
        flows: FlowList,
        strategies: Mapping[Action, Strategy],
        snapshot: Snapshot,
        on_avoid: Callable[[Avoided], object],
        on_ended: Sequence[OnEnded],
        clock: Clock,
        settings: RecoverySettings,
        worker: str,
        policy: RecoveryPolicy | None = None,
        find_learned: FindLearned = nothing_learned,
        explore: Explore = nothing_explored,
        on_noticed: Callable[[Fault], object] = nobody_told,
    ) -> None:
        self._outbox = outbox
        self._spool = spool
        self._clock = clock
        self._policy = policy or RecoveryPolicy()
        self._find_learned = find_learned
        self._explore = explore
        self._on_noticed = on_noticed
        self._on_avoid = on_avoid
        self._known_flows = RecoveryFlows()
        self._refresher = FlowRefresher(outbox, flows)
        self._intake = Intake(clock)
        self._runner = Runner(
            outbox=outbox,
            strategies=strategies,
            on_ended=on_ended,
            clock=clock,
            worker=worker,
            lease_seconds=settings.lease_seconds,
            max_seconds=settings.max_seconds,
            random=Random(),
            allowed=self._policy.allowed,
        )
        self._writer = Writer(outbox, self._intake, spool, clock, self._runner.tell)
        self._sweeper = Sweeper(outbox, clock, max_seconds=settings.max_seconds, retention_days=settings.retention_days)
        self._watch = Watch(snapshot, self._intake, on_noticed, self.report, self.healed)
        self._loop = BackgroundLoop("recovery-ledger", self.step, retry_seconds=AWAY_SECONDS)
        self._learn_at = self._sweep_at = 0.0
        self._away = False

    def intend(self, fault: Fault, decision: Decision, *, at: datetime | None = None) -> str | None:
        """Open a recovery, or join the one of the same target. Memory only: no call to any server.

        Args:
            decision: what was decided; anything but a delayed one opens nothing.
            at: when the fault was seen; now by default.
        Returns:
            The id for the client; None when nothing is left to a worker, or there is no room to write it down.
        """
        if decision.strategy is not When.DELAYED or not self.takes(fault):
            return None
        if known := self._intake.find(target_of(fault)):
            return known[0]
        recovery_id, is_new = self._intake.open(self._intent(fault, decision.action, at or self._clock.now()))
        if is_new:
            self._loop.wake()
        return recovery_id

    def takes(self, fault: Fault) -> bool:
        """Whether this fault may open a recovery, or join one. Memory only.

        That a call was refused says what a breaker remembers, not how its target is now: it joins what is open, and opens one only when
        the last look at the target was bad.
        """
        return not fault.refused or self._intake.find(target_of(fault)) is not None or self._watch.sees_down(target_of(fault))

    def find_action(self, fault: Fault) -> Action | None:
        """What the recovery that this fault joins does next; None when there is none. Memory only."""
        known = self._intake.find(target_of(fault))
        return known[1] if known else None

    def consider(self, fault: Fault) -> str | None:
        """Decide about a fault at the end of what it broke, and open a recovery when it is left to a worker. Memory only."""
        situation = Situation(recovery_flow=self.has_flow(fault), learned=self._find_learned(fault), deferrable=self.takes(fault))
        return self.intend(fault, decide(fault, situation, self._policy))

    def report(self, fault: Fault, at: datetime | None = None, *, usual: Action | None = None) -> str | None:
        """Open a recovery for a fault that a background watcher saw: nobody waits for an answer.

        Args:
            usual: what is done about it as long as nothing was learned; its type's own action by default.
        """
        learned = self._find_learned(fault)
        usual = learned if learned in LEARNABLE else usual or DELAYED_ACTION.get(fault.type, Action.NONE)
        action = Action.RUN_RECOVERY_FLOW if self.has_flow(fault) else usual
        if action is Action.NONE or action not in self._policy.allowed:
            return None
        return self.intend(fault, Decision(action, When.DELAYED, "noticed_in_background"), at=at)

    def has_flow(self, fault: Fault) -> bool:
        """Whether the registry has a recovery flow for this fault, as far as this process knows. Memory only."""
        return self._find_flow(fault) is not None

    def healed(self, target: str, at: datetime | None = None) -> None:
        """A target is well by itself: its open recovery, when there is one, is closed. Memory only."""
        if self._intake.heal(target, at or self._clock.now()):
            self._loop.wake()

    def breaker_changed(self, change: BreakerChange) -> None:
        """A service's breaker opened: it is to be recovered. A target's probes were answered: it is well. Memory only.

        An opening that another process tells of was reported there, and may be over. A database is reported by its poller, which saw it
        itself. What no client met, because copies answered or calls were only slow, is learned from here.
        """
        if change.new is BreakerState.OPEN and change.cause is Cause.CALLS:
            slowness = too_slow(change.target)
            fault = replace(change.blamed or slowness, retryable=True, target=change.target)
            unmet = change.target == CONFIGURATION_SERVICE or change.blamed == slowness
            if unmet and change.old is BreakerState.CLOSED:
                self._on_noticed(fault)
            if kind_of(change.target) == SERVICE:
                self.report(fault, change.at, usual=Action.FAILOVER_INSTANCE)
        elif change.new is BreakerState.CLOSED and change.old is BreakerState.HALF_OPEN and change.cause is not Cause.OPERATOR:
            self.healed(change.target, change.at)

    def run(self, recovery_id: str) -> None:
        """Try once; what the task calls. Ringing twice is harmless: the lease admits one runner.

        Raises:
            DatabaseError: PostgreSQL failed; the sweep rings again.
        """
        self._runner.run(recovery_id)

    def sweep(self) -> Swept:
        """Ring again for what nobody heard, fail what took too long, forget what is old. Harmless at any time.

        Raises:
            DatabaseError: PostgreSQL failed; the next sweep does it.
        """
        swept = self._sweeper.sweep()
        for ended in swept.failed:
            self._runner.tell(ended)
        return swept

    def refresh_flows(self) -> None:
        """Ask the registry for the recovery flows; what the task calls. Harmless at any time.

        Raises:
            DatabaseError: PostgreSQL failed.
        """
        self._refresher.refresh()

    def hand_back(self, workers: str) -> int:
        """Give up what ended workers had in hand; returns how many recoveries others are rung for.

        Args:
            workers: how their names begin.
        Raises:
            DatabaseError: PostgreSQL failed; the leases run out by themselves.
        """
        return self._sweeper.hand_back(workers)

    def get(self, recovery_id: str) -> RecoveryView:
        """One recovery with its attempts; the id of a merged one leads to the one that carries it out.

        Raises:
            RecoveryNotFound
        """
        with self._outbox.transaction() as work:
            return LedgerReader(work.connection).get_view(recovery_id)

    def list_page(
        self, *, target: str | None = None, status: RecoveryStatus | None = None, limit: int = 20, offset: int = 0
    ) -> RecoveryPage:
        """A page of the ledger, newest first; at most `MAX_PAGE` at once."""
        with self._outbox.transaction() as work:
            return LedgerReader(work.connection).list_page(target, status, min(limit, MAX_PAGE), offset)

    def start(self, *, watching: bool) -> None:
        """Begin in the background; `watching` where a poller runs."""
        self._loop.start()
        if watching:
            self._watch.start()

    def stop(self) -> None:
        """End it, after writing down what waits: to PostgreSQL, or to the spool."""
        self._watch.stop()
        self._loop.stop()
        self._writer.write()
        self._spool.close()

    def step(self) -> float:
        """One round of the background loop; returns the seconds until the next."""
        if not self._writer.write():
            return AWAY_SECONDS
        try:
            self._at_intervals()
        except UNREACHABLE as error:
            if not self._away:
                log.warning("recoveries_not_read", code=error.code)
            self._away = True
            return AWAY_SECONDS
        self._away = False
        return LEARN_SECONDS

    def _intent(self, fault: Fault, action: Action, at: datetime) -> Intent:
        """`action`: what was decided; a recovery flow goes before it, and now and then an alternative stands in for it."""
        flow, broken = self._find_flow(fault), fault.underlying
        return Intent(
            target=target_of(fault),
            fault_type=broken.type.value,
            category=broken.category.value,
            severity=broken.severity.value,
            source=broken.source,
            fingerprint=broken.fingerprint,
            action=Action.RUN_RECOVERY_FLOW if flow else self._explore(fault, action),
            broken_since=at,
            detail=storable(broken.detail or fault.detail),
            vendor_code=broken.vendor_code,
            flow_id=flow.flow_id if flow else None,
            origin=fault.origin,
            request_id=current_request_id(),
        )

    def _find_flow(self, fault: Fault) -> RecoveryFlow | None:
        if Action.RUN_RECOVERY_FLOW not in self._policy.allowed:
            return None
        return self._known_flows.find(fault.underlying.type.value, target_of(fault))

    def _at_intervals(self) -> None:
        now = self._clock.monotonic()
        if now >= self._learn_at:
            self._learn()
            self._learn_at = now + LEARN_SECONDS / 2
        if now >= self._sweep_at:
            self.sweep()
            self._sweep_at = now + SWEEP_SECONDS

    def _learn(self) -> None:
        with self._outbox.transaction() as work:
            store = KnownStore(work.connection)
            opened, avoided, flows = store.list_open(), store.list_avoided(self._clock.now()), store.list_flows()
        self._intake.learn(opened)
        self._known_flows.learn(flows)
        by_target: dict[str, frozenset[str]] = {}
        for target, urls in avoided:
            by_target[target] = by_target.get(target, frozenset()) | frozenset(urls)
        self._on_avoid(by_target)


def storable(text: str) -> str:
    """The text as PostgreSQL takes it: a detail may quote what a caller sent."""
    return text[:MAX_DETAIL].replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def recovery_event(ended: Ended) -> RecoveryEvent:
    """How a recovery ended, for analytics."""
    intent = ended.intent
    return RecoveryEvent(
        at=ended.ended_at,
        recovery_id=intent.recovery_id,
        target=intent.target,
        fault_type=intent.fault_type,
        action=ended.healed_by or intent.action.value,
        strategy=When.DELAYED.value,
        outcome=ended.status.value,
        duration_ms=ended.duration_ms,
        fingerprint=intent.fingerprint,
    )
