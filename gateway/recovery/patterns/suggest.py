"""Which action to take on a pattern: a pure function of its evidence, so that a table of cases is the whole test."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from gateway.recovery.model import Action, FaultType
from gateway.recovery.patterns.evidence import Evidence, fade, lower_bound
from gateway.recovery.patterns.model import Suggestion
from gateway.recovery.policy import DELAYED_ACTION

ENOUGH_TRIES = 20
LEARNED, DEFAULT = "learned", "default"
# What is done about a type before anything was learned, when time or a worker cannot heal it.
CALLERS_OWN: Mapping[FaultType, Action] = {
    FaultType.VALIDATION: Action.CORRECT_REQUEST,
    FaultType.AUTHENTICATION: Action.REAUTHENTICATE,
    FaultType.RATE_LIMIT: Action.WAIT,
}


def suggest(
    evidence: Mapping[Action, Evidence], *, fault_type: FaultType, retryable: bool, allowed: frozenset[Action], now: datetime
) -> Suggestion:
    """The action with the best lower bound once all actions together have 20 faded tries; the category's default before.

    Args:
        allowed: what may be done automatically. Nothing else is chosen by learning; a default beyond it is for a human.
    """
    faded = {action: fade(each.at, now) for action, each in evidence.items()}
    tries = sum(each.tries * faded[action] for action, each in evidence.items())
    bounds = {
        action: lower_bound(each.tries * faded[action], each.wins * faded[action])
        for action, each in evidence.items()
        if action in allowed and each.wins > 0
    }
    if round(tries) < ENOUGH_TRIES or not bounds:
        action = default_action(fault_type, retryable=retryable)
        return Suggestion(action, DEFAULT, None, round(tries), action in allowed)
    best = max(bounds, key=lambda action: (bounds[action], action == default_action(fault_type, retryable=retryable), action))
    return Suggestion(best, LEARNED, round(bounds[best], 4), round(tries), automatic=True)


def explore(action: Action, alternatives: Sequence[Action], *, tries: Mapping[Action, float], share: float, roll: float) -> Action:
    """`action`, or, in a share of cases, an alternative that has not enough tries to be judged by: no evidence, no better choice.

    Args:
        alternatives: harmless, applicable to the target, and allowed.
        tries: faded number of tries of each action.
        roll: random number that decides, 0 ≤ roll < 1.
    """
    unknown = [each for each in alternatives if tries.get(each, 0.0) < ENOUGH_TRIES]
    if roll >= share or not unknown:
        return action
    return unknown[int(roll / share * len(unknown))]


def default_action(fault_type: FaultType, *, retryable: bool) -> Action:
    """What the category does about it when nothing is known."""
    if fault_type in CALLERS_OWN:
        return CALLERS_OWN[fault_type]
    if fault_type is FaultType.CONFLICT and retryable:
        return Action.RETRY
    return DELAYED_ACTION.get(fault_type, Action.NONE) if retryable or fault_type is FaultType.FLOW else Action.NONE
