"""What to do about a fault: a pure function, so that a table of cases is the whole test (issue 4, item 2).

Immediate actions come first, cheapest first; what none of them can heal is left to a worker; what nobody can heal is answered.
"""

from dataclasses import dataclass

from gateway.recovery.backoff import full_jitter_seconds
from gateway.recovery.breaker import BreakerState
from gateway.recovery.model import Action, Decision, Fault, FaultType, Strategy
from gateway.recovery.policy import DEFAULT_RETRY_AFTER_MS, DELAYED_ACTION, RecoveryPolicy

CLIENTS_OWN = {  # the caller must change something; neither retry nor worker can
    FaultType.VALIDATION: Action.CORRECT_REQUEST,
    FaultType.AUTHORIZATION: Action.NONE,
    FaultType.NOT_FOUND: Action.NONE,
}
# What a worker can do about any target of the kind, so that evidence may choose among them.
LEARNABLE = frozenset({Action.RECONNECT_DATABASE, Action.FAILOVER_INSTANCE, Action.REFRESH_DISCOVERY, Action.RETRY})
SHUT = (BreakerState.OPEN, BreakerState.FORCED_OPEN)


@dataclass(frozen=True, slots=True)
class Situation:
    """What the caller of the failed operation can still do. The default is the end of a request: nothing but answering.

    Attributes:
        attempt: tries made so far, from 1.
        repeatable: the method is idempotent, or the POST carries a key that makes it so.
        answer_begun: bytes of an answer went to the client; nothing can be tried again.
        remaining_seconds: until the request's deadline.
        breaker: state of the target's breaker; `breaker_seconds` until it lets a probe through.
        budget: the target's retry budget affords one more.
        fallback, stale, other_instance: a fallback, a last-known-good copy, or another healthy instance is at hand.
            Each is offered once: pass False when it was tried.
        credentials: the target refused the gateway's own, and fresh ones may be at hand. Offered once.
        deferrable: a worker may take over (there is something to recover and the outbox or the spool takes it).
        recovery_flow: the registry has a flow for this fault.
        learned: the action that healed faults of this pattern best, when there is enough evidence for one; it goes before the type's own.
        roll: random number for the jitter, 0 ≤ roll < 1.
    """

    attempt: int = 1
    repeatable: bool = False
    answer_begun: bool = False
    remaining_seconds: float = 0.0
    breaker: BreakerState = BreakerState.CLOSED
    breaker_seconds: float = 0.0
    budget: bool = False
    fallback: bool = False
    stale: bool = False
    other_instance: bool = False
    credentials: bool = False
    deferrable: bool = True
    recovery_flow: bool = False
    learned: Action | None = None
    roll: float = 0.5


AT_THE_END = Situation()


def decide(fault: Fault, situation: Situation = AT_THE_END, policy: RecoveryPolicy | None = None) -> Decision:
    """What to do now. Never raises, never does I/O, draws no random number of its own."""
    policy = policy or RecoveryPolicy()
    if fault.type in CLIENTS_OWN:
        return Decision(CLIENTS_OWN[fault.type], Strategy.NONE, "callers_to_correct")
    if fault.type is FaultType.RATE_LIMIT and fault.target is None:
        return Decision(Action.WAIT, Strategy.NONE, "caller_is_throttled", retry_after_ms=retry_after_ms(fault, situation))
    return _immediate(fault, situation, policy) or _delayed(fault, situation, policy) or _nothing(fault, situation)


def retry_after_ms(fault: Fault, situation: Situation = AT_THE_END) -> int | None:
    """When trying again can help, in ms: the breaker's remaining time, what the failing side asked for, or the type's default."""
    if not fault.retryable:
        return None
    if situation.breaker in SHUT and situation.breaker_seconds > 0:
        return max(1, round(situation.breaker_seconds * 1000))
    if fault.retry_after_seconds is not None:
        return max(0, round(fault.retry_after_seconds * 1000))
    return DEFAULT_RETRY_AFTER_MS.get(fault.type)


def _immediate(fault: Fault, situation: Situation, policy: RecoveryPolicy) -> Decision | None:
    if situation.answer_begun:
        return None
    if situation.credentials and fault.target and (again := _at_once(Action.REAUTHENTICATE, "credentials_may_be_old", policy)):
        return again
    if fault.type is FaultType.AUTHENTICATION:
        return None
    elsewhere = situation.other_instance and situation.repeatable and fault.retryable  # else every instance would answer the same
    if fault.type in (FaultType.SERVICE_DISCOVERY, FaultType.UPSTREAM) and elsewhere:
        return _at_once(Action.REDISCOVER_SERVICE, "another_instance_is_there", policy) or _retry(fault, situation, policy)
    return _retry(fault, situation, policy) or _stand_in(fault, situation, policy)


def _retry(fault: Fault, situation: Situation, policy: RecoveryPolicy) -> Decision | None:
    """A retry must be harmless, hopeful, affordable and in time."""
    if not (fault.retryable and situation.repeatable and situation.budget and Action.RETRY in policy.allowed):
        return None
    if situation.breaker in SHUT or situation.attempt >= policy.max_attempts:
        return None
    wait = full_jitter_seconds(situation.attempt, base_seconds=policy.base_seconds, cap_seconds=policy.cap_seconds, roll=situation.roll)
    wait = max(wait, fault.retry_after_seconds or 0.0)
    if wait >= situation.remaining_seconds:
        return None
    return Decision(Action.RETRY, Strategy.IMMEDIATE, "worth_another_try", delay_ms=round(wait * 1000))


def _stand_in(fault: Fault, situation: Situation, policy: RecoveryPolicy) -> Decision | None:
    if fault.type is FaultType.CONFLICT:
        return None  # another answer would hide that somebody else won
    if situation.fallback and (decision := _at_once(Action.FALLBACK, "fallback_is_there", policy)):
        return decision
    return _at_once(Action.SERVE_STALE, "copy_is_there", policy) if situation.stale else None


def _at_once(action: Action, reason: str, policy: RecoveryPolicy) -> Decision | None:
    return Decision(action, Strategy.IMMEDIATE, reason) if action in policy.allowed else None


def _delayed(fault: Fault, situation: Situation, policy: RecoveryPolicy) -> Decision | None:
    """A worker takes over only what time or a worker can heal, and only for a target it can name."""
    if not situation.deferrable:
        return None
    wait = retry_after_ms(fault, situation)
    if situation.recovery_flow and Action.RUN_RECOVERY_FLOW in policy.allowed:
        return Decision(Action.RUN_RECOVERY_FLOW, Strategy.DELAYED, "recovery_flow_registered", retry_after_ms=wait)
    action = situation.learned if situation.learned in LEARNABLE else DELAYED_ACTION.get(fault.type)
    if action in (None, Action.RUN_RECOVERY_FLOW) or not fault.retryable or fault.target is None or action not in policy.allowed:
        return None
    reason = "learned_what_heals" if action is situation.learned else "left_to_a_worker"
    return Decision(action, Strategy.DELAYED, reason, retry_after_ms=wait)


def _nothing(fault: Fault, situation: Situation) -> Decision:
    wait = retry_after_ms(fault, situation)
    if fault.retryable:
        return Decision(Action.WAIT, Strategy.NONE, "time_may_heal", retry_after_ms=wait)
    return Decision(Action.NONE, Strategy.NONE, "nothing_helps")
