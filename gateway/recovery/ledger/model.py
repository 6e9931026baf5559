"""Recoveries, their attempts and what leads to them, as frozen values, and the one table of legal changes of state. No I/O."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from gateway.recovery.model import Action, Fault, FlowOrigin

ITSELF = "itself"  # what healed a target that no attempt of ours did


class RecoveryStatus(StrEnum):
    """Where a recovery stands."""

    PENDING = "pending"  # its next attempt is due at due_at
    RUNNING = "running"  # leased by a worker
    RECOVERED = "recovered"
    FAILED = "failed"
    SUPERSEDED = "superseded"  # another one of the same target was open already and carries it out

    @property
    def is_final(self) -> bool:
        """Nothing changes any more."""
        return self not in LEGAL


class AttemptOutcome(StrEnum):
    """How one attempt ended."""

    RUNNING = "running"
    WAITING = "waiting"  # a recovery flow is under way
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    LOST = "lost"  # the worker died or left: its lease ended
    SKIPPED = "skipped"  # it was not needed: the target was well already


ENDINGS = frozenset({RecoveryStatus.RECOVERED, RecoveryStatus.FAILED, RecoveryStatus.SUPERSEDED})
LEGAL: Mapping[RecoveryStatus, frozenset[RecoveryStatus]] = {
    RecoveryStatus.PENDING: frozenset({RecoveryStatus.RUNNING}) | ENDINGS,
    # running again: the lease ran out and another worker took over; pending again: to be tried once more
    RecoveryStatus.RUNNING: frozenset({RecoveryStatus.RUNNING, RecoveryStatus.PENDING, RecoveryStatus.RECOVERED, RecoveryStatus.FAILED}),
}
OPEN = tuple(LEGAL)


def sources_of(target: RecoveryStatus) -> tuple[RecoveryStatus, ...]:
    """The states from which a recovery may become `target`: what every UPDATE of a status names in its WHERE."""
    return tuple(source for source, targets in LEGAL.items() if target in targets)


@dataclass(frozen=True)
class Intent:
    """That something is to be recovered, as it is written down before any server is asked.

    Attributes:
        recovery_id: made up front, so that a client can be told at once.
        target: `database:<name>`, `service:<name>`, `flow:<id>` or `fault:<type>`; one recovery of it runs at a time.
        broken_since: when the fault was seen.
        detail: one sentence for a client; never driver text.
        flow_id: the recovery flow to run, for that action.
    """

    target: str
    fault_type: str
    category: str
    severity: str
    source: str
    fingerprint: str
    action: Action
    broken_since: datetime
    detail: str = ""
    vendor_code: str | None = None
    flow_id: str | None = None
    origin: FlowOrigin | None = None
    request_id: str | None = None
    recovery_id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True)
class Healing:
    """That a target is healthy since `healed_at` without our doing: its open recovery is closed."""

    target: str
    healed_at: datetime


Record = Intent | Healing


@dataclass(frozen=True)
class Opened:
    """An open recovery as every process remembers it. `action`: what is tried next, or now."""

    recovery_id: str
    target: str
    broken_since: datetime
    action: Action


@dataclass(frozen=True)
class Claim:
    """One worker's hold on one recovery until its lease runs out. `epoch` fences it: a later claim voids what this holder writes.

    `attempt`: number of this try, from 1. `execution_id`: of the recovery flow that an earlier claim started. `overdue`: it was
    tried for as long as it may be. `failed`: the actions of the tries before this one that did not heal, in their order.
    """

    intent: Intent
    epoch: int
    attempt: int
    execution_id: str | None = None
    overdue: bool = False
    failed: tuple[Action, ...] = ()

    @property
    def recovery_id(self) -> str:
        """Of the recovery that is held."""
        return self.intent.recovery_id


@dataclass(frozen=True)
class Tried:
    """How one attempt went.

    Attributes:
        healthy: the target was proven to be well.
        already: it was well before anything was done about it.
        hopeless: trying again cannot help.
        execution_id: the recovery flow that is under way; it is looked at again.
        avoid: base URLs of instances that should get no calls for a while.
        detail: one sentence for an operator; never driver text.
    """

    healthy: bool
    detail: str
    already: bool = False
    hopeless: bool = False
    execution_id: str | None = None
    avoid: tuple[str, ...] = ()

    @property
    def is_waiting(self) -> bool:
        """A recovery flow is under way."""
        return self.execution_id is not None and not self.healthy and not self.hopeless


@dataclass(frozen=True)
class Ended:
    """What is told to those who learn from it: how a recovery ended, `duration_ms` from fault to end.

    `failed`: the actions of its tries that did not heal, in their order.
    """

    intent: Intent
    status: RecoveryStatus
    ended_at: datetime
    healed_by: str | None
    failed: tuple[Action, ...] = ()

    @property
    def duration_ms(self) -> float:
        """Milliseconds from fault to end."""
        return max(0.0, (self.ended_at - self.intent.broken_since).total_seconds() * 1000)


@dataclass(frozen=True)
class Attempt:
    """One try of a recovery, as the ledger shows it."""

    number: int
    action: str
    worker: str
    outcome: AttemptOutcome
    started_at: datetime
    completed_at: datetime | None = None
    detail: str | None = None
    execution_id: str | None = None

    @property
    def duration_ms(self) -> int | None:
        """Milliseconds; None while it runs."""
        return milliseconds_between(self.started_at, self.completed_at)


@dataclass(frozen=True)
class RecoverySummary:
    """One recovery as the ledger lists it. `action`: what was tried last or is next. `healed_by`: an action, or `itself`."""

    id: str
    target: str
    status: RecoveryStatus
    fault_type: str
    category: str
    severity: str
    source: str
    fingerprint: str
    detail: str
    action: str
    broken_since: datetime
    recorded_at: datetime
    next_attempt_at: datetime | None
    completed_at: datetime | None
    healed_by: str | None
    attempt_count: int
    vendor_code: str | None = None
    flow_id: str | None = None
    execution_id: str | None = None
    origin: FlowOrigin | None = None
    request_id: str | None = None
    superseded_by: str | None = None

    @property
    def duration_ms(self) -> int | None:
        """Milliseconds from fault to end: how long until healthy, for one that recovered; None while it is open."""
        return milliseconds_between(self.broken_since, self.completed_at)


@dataclass(frozen=True)
class RecoveryView(RecoverySummary):
    """One recovery with its attempts. `merged_ids`: those given to other clients for the same outage."""

    attempts: tuple[Attempt, ...] = ()
    merged_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class RecoveryPage:
    """A page of the ledger, newest first; `total` counts all that match."""

    recoveries: tuple[RecoverySummary, ...]
    total: int


@dataclass(frozen=True)
class RecoveryFlow:
    """A flow that some tag of its own makes the recovery flow of a type of fault, at best for one target only."""

    flow_id: str
    fault_type: str
    target: str | None = None


def target_of(fault: Fault) -> str:
    """What is recovered: the fault's target, else the flow it happened in, else its type as a whole."""
    if fault.target:
        return fault.target
    return f"flow:{fault.origin.flow_id}" if fault.origin else f"fault:{fault.type.value}"


def milliseconds_between(started_at: datetime, completed_at: datetime | None) -> int | None:
    """Whole milliseconds; None when the end is missing."""
    return None if completed_at is None else max(0, round((completed_at - started_at).total_seconds() * 1000))
