"""PostgreSQL by SQLAlchemy on psycopg2: the transactional truth.

Source: https://www.postgresql.org/docs/current/libpq-connect.html (timeouts and keepalives).
"""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, make_url
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from config.databases import PostgresSettings
from gateway.databases import postgres_waiting
from gateway.databases.error_rules import READS_ONLY, made
from gateway.databases.errors import DatabaseDisabled, DatabaseReadOnly, StatementInvalid
from gateway.databases.guarding import Guard, unguarded
from gateway.databases.limits import MAX_WIRE_BYTES, POOL_WAIT_SECONDS
from gateway.databases.model import DatabaseName, Ping, PoolStats, ResultSet, Role
from gateway.databases.postgres_errors import ENGINE, late, translated
from gateway.databases.postgres_reading import IN_NO_CURSOR, read, readable_statement, refused_write
from gateway.databases.process_local import ProcessLocal

ASK_VERSION = "SELECT current_setting('server_version'), current_setting('transaction_read_only')"
GRACE_SECONDS = 0.25  # the server's own limit comes first and keeps the connection; ours is for a server that is hung

UNLIMITED = -1  # SQLAlchemy's word for no limit


class CountingPool(QueuePool):
    """SQLAlchemy's pool, which also counts how often a caller found no connection free."""

    waits = 0

    def _do_get(self) -> ConnectionPoolEntry:
        self.waits += self.checkedout() >= self.size()
        began, connecting_before = time.monotonic(), postgres_waiting.waits()()
        try:
            return super()._do_get()
        finally:
            connecting = postgres_waiting.waits()() - connecting_before
            postgres_waiting.waited_in_vain(time.monotonic() - began - connecting)


class Postgres:
    """One pool of connections to PostgreSQL, opened when first used and never shared across a fork."""

    name = DatabaseName.POSTGRES
    engine = ENGINE
    role = Role.TRANSACTIONAL

    def __init__(self, settings: PostgresSettings, guard: Guard = unguarded) -> None:
        """`guard`: entered around every transaction."""
        self._settings = settings
        self._guard = guard
        self._engine = ProcessLocal(lambda: build_engine(settings))
        # A ping asks over connections of its own: callers who hang, each with one of the pool, do not keep it from asking.
        self._pinging = ProcessLocal(lambda: build_engine(settings, kept=1, more=UNLIMITED).execution_options(isolation_level="AUTOCOMMIT"))

    @property
    def configured(self) -> bool:
        return self._settings.sqlalchemy_url is not None

    @property
    def limit_seconds(self) -> float:
        return self._settings.statement_timeout_seconds

    @staticmethod
    def one_request() -> AbstractContextManager[None]:
        """Entered around each request: all its transactions together wait no longer for a server that hangs than one of them would."""
        return postgres_waiting.one_request()

    @contextmanager
    def transaction(self, *, statement_timeout_seconds: float | None = None) -> Iterator[Connection]:
        """One transaction: commits at the end of the block, rolls back when it raises.

        Args:
            statement_timeout_seconds: limit of each statement, in place of the setting's.
        Raises:
            DatabaseError: any of its subclasses, never a vendor exception. Errors of our own pass unchanged.
        """
        limit = statement_timeout_seconds or self._settings.statement_timeout_seconds
        if postgres_waiting.silent_seconds() >= limit + GRACE_SECONDS:
            raise late()  # an earlier one of this request has waited for all of them
        with (
            self._guard(self.name, postgres_waiting.waits()),
            postgres_waiting.at_most(limit + GRACE_SECONDS),
            translated(),
            self.sqlalchemy_engine().begin() as connection,
        ):
            if statement_timeout_seconds is not None:
                connection.exec_driver_sql(f"SET LOCAL statement_timeout = {int(limit * 1000)}")
            yield connection

    def sqlalchemy_engine(self) -> Engine:
        """The engine of this process, built at first use.

        Raises:
            DatabaseDisabled: PostgreSQL is not configured.
        """
        return self._engine.get()

    def connect(self) -> None:
        with translated(), self.sqlalchemy_engine().connect():
            pass

    def ping(self, timeout_seconds: float) -> Ping:
        """Raises, beside what the interface says, DatabaseReadOnly: a standby, or a server that was told to take no writes."""
        deadline = time.monotonic() + timeout_seconds
        with postgres_waiting.by(deadline), translated(), self._pinging.get().connect() as connection:
            version, read_only = connection.exec_driver_sql(ASK_VERSION).one()
        if read_only == "on":
            raise made(self.name, self.engine, READS_ONLY, "25006")
        return Ping(str(version).split(" ", 1)[0])

    def query(self, statement: str, parameters: Mapping[str, Any], *, timeout_seconds: float, max_rows: int) -> ResultSet:
        """Run one SELECT, WITH, VALUES, TABLE, EXPLAIN or SHOW in a READ ONLY transaction. Parameters are written `:name`.

        Raises:
            StatementRefused: another kind of statement, or one that would write.
        """
        tokens = readable_statement(statement)
        deadline = time.monotonic() + timeout_seconds
        end = deadline + GRACE_SECONDS
        try:
            with (
                postgres_waiting.by(end),
                postgres_waiting.at_most(end - time.monotonic()),
                postgres_waiting.receiving_at_most(MAX_WIRE_BYTES),
                translated(),
                self.sqlalchemy_engine().connect() as connection,
            ):
                return read(connection, tokens, parameters, deadline=deadline, max_rows=max_rows)
        except DatabaseReadOnly as error:
            raise refused_write(error) from error
        except StatementInvalid as error:
            if error.vendor_code == IN_NO_CURSOR:
                raise refused_write(error) from error
            raise

    def pool_stats(self) -> PoolStats:
        engine = self._engine.find()
        pool = engine.pool if engine else None
        if not isinstance(pool, CountingPool):
            return PoolStats(0, 0, self._settings.pool_size, 0)
        return PoolStats(pool.checkedout(), pool.checkedin(), pool.size(), pool.waits)

    def close(self) -> None:
        """Close every connection of the pool; the next use opens new ones."""
        for engine in (self._engine.take(), self._pinging.take()):
            if engine is not None:
                engine.dispose()


def build_engine(settings: PostgresSettings, kept: int | None = None, more: int = 0) -> Engine:
    """An engine whose every wait is bounded: connecting, each statement, the pool, and a peer that went silent.

    Args:
        kept: connections that its pool keeps, in place of the setting's.
        more: connections beyond those, closed after their use.
    Raises:
        DatabaseDisabled: PostgreSQL is not configured.
    """
    url = settings.sqlalchemy_url
    if url is None:
        raise DatabaseDisabled("PostgreSQL is not configured; set DATABASE_URL")
    postgres_waiting.install()
    logging.getLogger(f"{__name__}.{CountingPool.__name__}").setLevel(logging.WARNING)  # SQLAlchemy tells under this name that it closes
    timeout_ms = int(settings.statement_timeout_seconds * 1000)
    return create_engine(
        url,
        poolclass=CountingPool,
        pool_size=kept or settings.pool_size,
        max_overflow=more,
        pool_timeout=POOL_WAIT_SECONDS,
        pool_recycle=1800,
        pool_use_lifo=True,
        connect_args={
            "connection_factory": postgres_waiting.bounded_connection(
                settings.connect_timeout_seconds, settings.statement_timeout_seconds + GRACE_SECONDS
            ),
            "application_name": "api-gateway",
            "gssencmode": make_url(url).query.get("gssencmode", "disable"),  # looking for Kerberos tickets loads 1 MB of libraries
            "options": (
                f"-c statement_timeout={timeout_ms} -c idle_in_transaction_session_timeout=60000 -c timezone=UTC"
                " -c client_connection_check_interval=1000"
            ),
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": timeout_ms + 2000,
        },
    )
