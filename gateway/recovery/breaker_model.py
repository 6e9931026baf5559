"""What a breaker is, seen from outside: its states, its policy, the error it answers with, and how a call's end is judged."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.errors import GatewayError, Unavailable, UpstreamInvalid, UpstreamTimeout
from gateway.recovery.model import Fault
from gateway.targets import name_of


class BreakerState(StrEnum):
    """`forced_open` and `disabled` are an operator's word and end only by `reset`."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    FORCED_OPEN = "forced_open"
    DISABLED = "disabled"


class Cause(StrEnum):
    """Why a breaker changed its state."""

    CALLS = "calls"  # what this process saw
    TIME = "time"  # the open time is over
    SHARED = "shared"  # another process said so
    OPERATOR = "operator"


class BreakerOpen(Unavailable):
    """The target failed too often lately: the call was not made. Retryable after `retry_after_seconds`.

    `blamed`: the fault that speaks against the target; None when nobody told it.
    """

    code = "BREAKER_OPEN"
    blamed: Fault | None = None

    def __init__(self, target: str, retry_after_seconds: float) -> None:
        super().__init__(refusal(target), retry_after_seconds=retry_after_seconds)
        self.target = target


def refusal(target: str) -> str:
    """The one sentence for a client whose call was not made."""
    return f"{name_of(target) or target} is not called for a moment: its breaker is open"


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a breaker opens and how it closes again.

    Attributes:
        window_calls: calls that the rates are computed over.
        minimum_calls: fewer recorded calls never open it.
        failure_rate, slow_rate: 0 to 1; reaching either opens it.
        slow_seconds: a call that takes longer counts as slow; a probe under way for longer has failed.
        open_seconds: time it stays open the first time; doubles with every failed probe up to `open_seconds_cap`.
        jitter: 0 to 1; each open time is shortened by up to this share, so that processes do not probe in step.
        half_open_permits: probes at a time while half open, and successes that close it. A leased probe closes it alone.
    """

    window_calls: int = 20
    minimum_calls: int = 5
    failure_rate: float = 0.5
    slow_rate: float = 0.8
    slow_seconds: float = 2.0
    open_seconds: float = 1.0
    open_seconds_cap: float = 30.0
    jitter: float = 0.3
    half_open_permits: int = 2

    @property
    def idle_seconds(self) -> float:
        """A half-open time that nobody's lease made use of for so long is open to a probe of anyone: calls are rare then."""
        return self.slow_seconds + 3.0


@dataclass(frozen=True, slots=True)
class BreakerSnapshot:
    """A breaker at one moment. Rates are None until `minimum_calls` are recorded. `blamed`: as of BreakerOpen."""

    name: str
    state: BreakerState
    calls: int
    failure_rate: float | None
    slow_rate: float | None
    remaining_open_seconds: float
    opened_times: int
    streak: int = 0
    blamed: Fault | None = None


@dataclass(frozen=True, slots=True)
class BreakerChange:
    """That a breaker changed its state. `blamed`: the fault that speaks against its target, when it is not closed."""

    target: str
    old: BreakerState
    new: BreakerState
    at: datetime
    cause: Cause
    blamed: Fault | None = None


@dataclass(slots=True)
class Permit:
    """The right to make one call; `epoch` tells a late report from before the last change of state."""

    epoch: int


class Outcome(StrEnum):
    """What the end of a call says about its target. `nothing`: neither for nor against it."""

    SUCCESS = "success"
    FAILURE = "failure"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Judge:
    """How the calls of a target are judged.

    Attributes:
        of_error: what an error says, given the seconds the call took.
        by_time: whether a slow call speaks against the target; False where the caller chooses what to ask for.
    """

    of_error: Callable[[BaseException, float], Outcome]
    by_time: bool = True


def counts_as_failure(error: BaseException) -> bool:
    """Whether an error speaks against the target: it could not serve, or the error is not ours. A caller's mistake does not."""
    if isinstance(error, GatewayError):
        blamed = error.retryable or isinstance(error, (Unavailable, UpstreamTimeout, UpstreamInvalid))
        return blamed and not isinstance(error, BreakerOpen)
    return isinstance(error, Exception)


def _by_class(error: BaseException, _seconds: float) -> Outcome:
    if isinstance(error, BreakerOpen) or not isinstance(error, Exception):
        return Outcome.NOTHING
    return Outcome.FAILURE if counts_as_failure(error) else Outcome.SUCCESS


BY_CLASS = Judge(_by_class)
