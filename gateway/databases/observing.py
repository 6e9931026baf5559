"""One look at one database, and what a row of looks says about all six. The looking does I/O; the saying never does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog

from gateway.clock import Clock
from gateway.databases.errors import DatabaseError, DatabasePoolExhausted, DatabaseReadOnly, DatabaseTimeout, DatabaseUnreachable
from gateway.databases.model import DatabaseName, DatabaseStatus, Ping, Status, StatusError, served_by
from gateway.databases.ports import Database
from gateway.errors import GatewayError

log = structlog.get_logger(__name__)

BreakerState = Callable[[str], str]
USABLE_ERRORS = (DatabasePoolExhausted, DatabaseReadOnly)  # the server answers; only some calls fail
NOT_CHECKED_YET = StatusError("NotChecked", "DATABASE_NOT_CHECKED_YET", "It was not asked yet")
AGAIN_SECONDS = 0.1  # between two looks at a database that begins to be silent
NO_ANSWER = StatusError("DatabaseTimeout", "DATABASE_TIMEOUT", "It did not answer in time")


@dataclass(frozen=True)
class Look:
    """What the last finished ping told. `latency_ms` of a failed one is how long failing took."""

    at: datetime
    error: StatusError | None
    latency_ms: float | None = None
    last_ok_at: datetime | None = None
    version: str | None = None
    usable: bool = False


OnLook = Callable[[DatabaseName, Look], None]
READMITTING = frozenset({"open", "half_open"})  # states of a breaker that a good look helps to end


def timed_out(look: Look) -> bool:
    """Whether the database said nothing in time; one that refuses, or is refused, is another matter."""
    return look.error is not None and look.error.code == DatabaseTimeout.code


def nobody_listens(_name: DatabaseName, _look: Look) -> None:
    """Where nobody wants to hear of looks."""


def no_breaker(_name: str) -> str:
    """The state of a breaker where there is none."""
    return "disabled"


def look_at(database: Database, timeout_seconds: float, clock: Clock, previous: Look) -> Look:
    """Ping once. Never raises for what a server or driver does wrong: that is what the look is about."""
    started = clock.monotonic()
    try:
        ping = _ping(database, timeout_seconds, kept=previous.usable)
    except DatabaseError as error:
        failure = StatusError(type(error).__name__, error.code, error.detail, error.vendor_code)
        usable = isinstance(error, USABLE_ERRORS)
    except GatewayError as error:
        failure, usable = StatusError(type(error).__name__, error.code, error.detail), False
    except Exception as error:  # a bug of ours, or an unmapped vendor error, must show as down, not as the last good look
        log.exception("database_look_failed", database=database.name)
        failure, usable = StatusError(type(error).__name__, GatewayError.code, "It failed in a way that is not known"), False
    else:
        return Look(clock.now(), None, _ms_since(started, clock), clock.now(), ping.version, usable=True)
    elapsed_ms = _ms_since(started, clock)
    return Look(clock.now(), failure, elapsed_ms, previous.last_ok_at, previous.version, usable)


def _ms_since(started: float, clock: Clock) -> float:
    return round((clock.monotonic() - started) * 1000, 3)


def _ping(database: Database, timeout_seconds: float, *, kept: bool) -> Ping:
    """`kept`: over a connection of the last look. That it is broken says that the server went since; a new one says whether it is back."""
    try:
        return database.ping(timeout_seconds)
    except DatabaseUnreachable as error:
        if not kept or type(error) is not DatabaseUnreachable:
            raise
        return database.ping(timeout_seconds)


def describe(
    databases: list[Database], looks: Mapping[DatabaseName, Look], breaker_state: BreakerState, slow_ms: float, clock: Clock
) -> dict[DatabaseName, DatabaseStatus]:
    """The status of each database, and who serves its role given all the others. No I/O."""
    breakers = {database.name: breaker_state(database.name) for database in databases}
    states = {database.name: _state(database, looks.get(database.name), breakers[database.name], slow_ms) for database in databases}
    serving = {name: state.usable and breakers[name] not in {"open", "forced_open"} for name, state in states.items()}
    now = clock.now()

    def status(database: Database) -> DatabaseStatus:
        name = database.name
        look = looks.get(name) or Look(now, NOT_CHECKED_YET if database.configured else None)
        return DatabaseStatus(
            name=name,
            engine=database.engine,
            role=database.role,
            status=states[name],
            served_by=served_by(name, serving),
            breaker=breakers[name],
            timestamp=look.at,
            latency_ms=look.latency_ms,
            last_ok_at=look.last_ok_at,
            error=look.error,
            pool=database.pool_stats() if database.configured else None,
            version=look.version,
        )

    return {database.name: status(database) for database in databases}


def _state(database: Database, look: Look | None, breaker: str, slow_ms: float) -> Status:
    if not database.configured:
        return Status.DISABLED
    if look is None or not look.usable:
        return Status.UNHEALTHY
    slow = look.latency_ms is not None and look.latency_ms > slow_ms
    return Status.DEGRADED if slow or look.error or breaker in {"open", "half_open", "forced_open"} else Status.HEALTHY
