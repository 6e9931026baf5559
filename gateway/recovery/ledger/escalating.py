"""What is tried next when a try did not heal: the strategies in turn. Pure."""

from collections.abc import Sequence

from gateway.recovery.model import Action
from gateway.recovery.policy import alternatives_to


def next_action(tried: Sequence[Action], target: str, allowed: frozenset[Action]) -> Action:
    """The action that was tried least, among the first one and its alternatives, in their order.

    Each is tried as often as the others, so that none gets the credit of time alone.

    Args:
        tried: the actions of all tries so far, at least one.
    """
    turn = (tried[0], *alternatives_to(tried[0], target, allowed))
    return min(turn, key=lambda action: (tried.count(action), turn.index(action)))
