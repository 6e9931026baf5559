"""The service's PostgreSQL: one bounded pool, one statement for a read, one transaction for a write, every wait bounded."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Row, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from config.settings import Settings
from configservice.deadlines import guard_connections
from gateway.errors import Conflict, GatewayError, InvalidInput, Unavailable

Result = TypeVar("Result")
Work = Callable[[Connection], Result]
AnyRow = Row[*tuple[Any, ...]]
POOL_WAIT_SECONDS = 2.0
RETRY_AFTER_SECONDS = 2.0
STALE_SECONDS = 1.0

dump_json = partial(json.dumps, ensure_ascii=False, separators=(",", ":"), allow_nan=False)

# By SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html): the first matching prefix wins.
SQLSTATE_RULES: tuple[tuple[str, type[GatewayError], str], ...] = (
    ("57014", Unavailable, "PostgreSQL did not answer in time"),  # query_canceled: statement_timeout
    ("55P03", Unavailable, "PostgreSQL did not grant a lock in time"),  # lock_not_available
    ("25006", Unavailable, "PostgreSQL accepts reads only"),  # read_only_sql_transaction
    ("3F000", Unavailable, "The tables are missing: run the migrations"),  # invalid_schema_name
    ("42P01", Unavailable, "The tables are missing: run the migrations"),  # undefined_table
    ("08", Unavailable, "PostgreSQL cannot be reached"),  # connection exception
    ("28", Unavailable, "PostgreSQL refuses our credentials"),  # invalid authorization
    ("3D", Unavailable, "PostgreSQL has no database of this name"),  # invalid catalog name
    ("40", Unavailable, "PostgreSQL rolled the transaction back because of another one"),  # serialization, deadlock
    ("53", Unavailable, "PostgreSQL is out of resources"),  # insufficient resources
    ("57", Unavailable, "PostgreSQL is shutting down or starting"),  # operator intervention
    ("23", Conflict, "It conflicts with something that exists"),  # integrity constraint violation
    ("22", InvalidInput, "PostgreSQL cannot hold one of the values"),  # data exception
)


class StaleConnection(Exception):
    """The server had closed the pooled connection. Nothing was committed, so the same work may run once more."""


class Database:
    """Runs work over pooled connections. Opens nothing before the first use."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._engine: Engine | None = None
        self._lock = threading.Lock()

    def read(self, work: Work[Result]) -> Result:
        """Run reading work outside of a transaction: each statement is one round trip.

        Raises:
            Unavailable: PostgreSQL is not configured, down, slow or busy. Never a vendor exception.
        """
        return self._run(work, commit=False)

    def write(self, work: Work[Result]) -> Result:
        """Run the work in one transaction, committed when it returns and rolled back when it raises.

        Raises:
            Unavailable: as for `read`. Conflict, InvalidInput: a constraint refused the rows.
        """
        return self._run(work, commit=True)

    def ping(self) -> None:
        """Ask for nothing.

        Raises:
            Unavailable: as for `read`.
        """
        self.read(lambda connection: connection.execute(text("SELECT 1")).scalar_one())

    def close(self) -> None:
        """Close the pool; the next use opens a new one."""
        with self._lock:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()

    def _run(self, work: Work[Result], *, commit: bool) -> Result:
        started = time.monotonic()
        with translated():
            try:
                return self._attempt(work, commit=commit)
            except StaleConnection:
                if time.monotonic() - started > STALE_SECONDS:  # not stale but slow: a second wait would help nobody
                    raise
                return self._attempt(work, commit=commit)

    def _attempt(self, work: Work[Result], *, commit: bool) -> Result:
        with self._pool().connect() as connection:
            if not commit:
                connection.execution_options(isolation_level="AUTOCOMMIT")  # until it goes back to the pool
            try:
                result = work(connection)
            except DBAPIError as error:
                if error.connection_invalidated:
                    raise StaleConnection from error
                raise
            connection.commit()
            return result

    def _pool(self) -> Engine:
        with self._lock:
            if self._engine is None:
                self._engine = build_engine(self._settings)
            return self._engine


def build_engine(settings: Settings) -> Engine:
    """An engine whose every wait is bounded: connecting, each statement, locks, the pool, and a server that went silent.

    Raises:
        Unavailable: no PostgreSQL is configured.
    """
    url = settings.config_service_database_url
    if url is None:
        raise Unavailable("PostgreSQL is not configured: set CONFIG_SERVICE_DATABASE_URL or DATABASE_URL")
    timeout_ms = int(settings.postgres.statement_timeout_seconds * 1000)
    engine = create_engine(
        url,
        pool_size=settings.config_service.threads,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS,
        pool_recycle=1800,
        pool_use_lifo=True,
        json_serializer=dump_json,
        connect_args={
            "connect_timeout": max(2, round(settings.postgres.connect_timeout_seconds)),
            "application_name": "configuration-service",
            "options": f"-c statement_timeout={timeout_ms} -c lock_timeout={timeout_ms} -c idle_in_transaction_session_timeout=60000"
            " -c timezone=UTC",
        },
    )
    guard_connections(engine, seconds=settings.postgres.statement_timeout_seconds + 1.0)
    return engine


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into the house's own, chosen by SQLSTATE; a bug (bad SQL) stays what it is."""
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable("Every PostgreSQL connection of this process is in use", retry_after_seconds=1) from error
    except StaleConnection as error:
        raise _unreachable() from error
    except DBAPIError as error:
        raise _by_sqlstate(error) from error


def _by_sqlstate(error: DBAPIError) -> Exception:
    sqlstate: str = getattr(error.orig, "pgcode", None) or ""
    for prefix, kind, detail in SQLSTATE_RULES:
        if sqlstate.startswith(prefix):
            return kind(detail, **_waiting(kind))
    if not sqlstate and (error.connection_invalidated or type(error.orig).__name__ in {"OperationalError", "InterfaceError"}):
        return _unreachable()
    return error


def _waiting(kind: type[GatewayError]) -> dict[str, Any]:
    return {"retry_after_seconds": RETRY_AFTER_SECONDS} if kind is Unavailable else {}


def _unreachable() -> Unavailable:
    return Unavailable("PostgreSQL cannot be reached", retry_after_seconds=RETRY_AFTER_SECONDS)
