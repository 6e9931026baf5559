"""How patient a breaker is with a target, by its kind, and what speaks against it."""

from gateway.databases.errors import DatabaseError, DatabasePoolExhausted, DatabaseReadOnly, DatabaseTimeout, DatabaseUnreachable
from gateway.errors import GatewayError, Unavailable, UpstreamInvalid, UpstreamTimeout
from gateway.recovery.breaker_model import BY_CLASS, BreakerOpen, BreakerPolicy, Judge, Outcome, refusal
from gateway.targets import CONFIGURATION_SERVICE, DATABASE, SERVICE, kind_of, name_of

# Four seconds at the most: a database that answers again is in use within five, poller or not. Ten calls: one that hangs holds each
# caller to its deadline, so five such calls are enough, however well it was before.
DATABASE_POLICY = BreakerPolicy(window_calls=10, open_seconds_cap=4.0)
# Services are slow by nature (a model that thinks, a report that is computed): only their own deadline calls them slow.
SERVICE_POLICY = BreakerPolicy(slow_seconds=15.0, open_seconds_cap=15.0)
# Everybody reads copies of it meanwhile, so little evidence is enough, and it is asked again soon.
CONFIGURATION_POLICY = BreakerPolicy(window_calls=10, minimum_calls=3, open_seconds=0.5, open_seconds_cap=4.0, half_open_permits=1)

# Who waited for less learned nothing about the target: the deadline was the caller's own choice.
TELLING_SECONDS = 0.5
# The server itself ended the statement at its limit: it is there. SQLSTATE, ClickHouse, ArangoDB.
ENDED_BY_SERVER = frozenset({"57014", "55P03", "159", "160", "1500"})
OWN_BOTTLENECK = (DatabasePoolExhausted,)  # our connections are in use; the server said nothing
STILL_SERVES = (DatabaseReadOnly,)  # reads work

FAILING_STATUSES = frozenset({"500", "502", "503", "504", "507", "520", "521", "522", "523", "524"})
CONFIGURATION_FAILING = frozenset({"502", "503", "504"})  # the platform's own answers 500 to an id that is taken


class DatabaseBreakerOpen(BreakerOpen, DatabaseUnreachable):
    """The database failed too often lately: nothing was sent to it. Whoever can live without it need not know the difference."""

    code = "BREAKER_OPEN"

    def __init__(self, target: str, retry_after_seconds: float) -> None:
        DatabaseError.__init__(self, name_of(target), refusal(target), retry_after_seconds=retry_after_seconds)
        self.target = target


def policy_of(target: str) -> BreakerPolicy:
    """The policy of a target that nobody named one for."""
    if target == CONFIGURATION_SERVICE:
        return CONFIGURATION_POLICY
    return DATABASE_POLICY if kind_of(target) == DATABASE else SERVICE_POLICY


def refuse(target: str, retry_after_seconds: float) -> BreakerOpen:
    """The error of a call that is not made."""
    kind = DatabaseBreakerOpen if kind_of(target) == DATABASE else BreakerOpen
    return kind(target, retry_after_seconds)


def judge_of(target: str, *, callers_own: bool = False) -> Judge:
    """How a target's calls are judged.

    Args:
        callers_own: the statement and its deadline are a caller's choice, so that being slow says nothing about a server that answers.
    """
    if kind_of(target) == DATABASE:
        name = name_of(target)
        return Judge(lambda error, seconds: _of_database(name, error, seconds, callers_own=callers_own), by_time=not callers_own)
    failing = CONFIGURATION_FAILING if target == CONFIGURATION_SERVICE else FAILING_STATUSES
    return Judge(lambda error, seconds: _of_service(error, seconds, failing)) if kind_of(target) == SERVICE else BY_CLASS


def _of_database(name: str, error: BaseException, seconds: float, *, callers_own: bool) -> Outcome:
    if not isinstance(error, Exception) or isinstance(error, (BreakerOpen, *OWN_BOTTLENECK)):
        return Outcome.NOTHING
    if not isinstance(error, DatabaseUnreachable) or error.database != name or isinstance(error, STILL_SERVES):
        return Outcome.SUCCESS  # it answered, or the error came from elsewhere inside the block
    if callers_own and isinstance(error, DatabaseTimeout):
        if error.vendor_code in ENDED_BY_SERVER:
            return Outcome.SUCCESS
        return Outcome.FAILURE if seconds >= TELLING_SECONDS else Outcome.NOTHING
    return Outcome.FAILURE


def _of_service(error: BaseException, seconds: float, failing: frozenset[str]) -> Outcome:
    if not isinstance(error, Exception) or isinstance(error, BreakerOpen):
        return Outcome.NOTHING
    if isinstance(error, UpstreamTimeout) and seconds < TELLING_SECONDS:
        return Outcome.NOTHING
    if isinstance(error, GatewayError) and not isinstance(error, (Unavailable, UpstreamTimeout, UpstreamInvalid)):
        return Outcome.SUCCESS
    status = str(getattr(error, "vendor_code", None) or getattr(error, "status", None) or "")
    if status.isdigit() and status != "0":  # it answered: only a server's own failure speaks against it
        return Outcome.FAILURE if status in failing else Outcome.SUCCESS
    return Outcome.FAILURE if isinstance(error, GatewayError) else Outcome.NOTHING
