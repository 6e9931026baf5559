"""PostgreSQL by SQLAlchemy on psycopg2: the transactional truth.

Source: https://www.postgresql.org/docs/current/errcodes-appendix.html (SQLSTATE classes),
https://www.postgresql.org/docs/current/libpq-connect.html (timeouts and keepalives).
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from config.databases import PostgresSettings
from gateway.databases.errors import (
    DatabaseAuthenticationFailed,
    DatabaseDisabled,
    DatabaseError,
    DatabaseFailed,
    DatabasePoolExhausted,
    DatabaseReadOnly,
    DatabaseTimeout,
    DatabaseUnreachable,
    StatementConflict,
    StatementInvalid,
)

NAME = "postgres"
POOL_WAIT_SECONDS = 2.0


class Postgres:
    """One pool of connections to PostgreSQL, opened when first used and never shared across a fork."""

    def __init__(self, settings: PostgresSettings) -> None:
        self._settings = settings
        self._engine: Engine | None = None
        self._lock = threading.Lock()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction: commits at the end of the block, rolls back when it raises.

        Raises:
            DatabaseError: any of its subclasses, never a vendor exception. Errors of our own pass unchanged.
        """
        with translated(), self.engine().begin() as connection:
            yield connection

    def engine(self) -> Engine:
        """The engine of this process, built at first use.

        Raises:
            DatabaseDisabled: PostgreSQL is not configured.
        """
        with self._lock:
            if self._engine is None:
                self._engine = build_engine(self._settings)
            return self._engine

    def close(self) -> None:
        """Close every connection of the pool; the next use opens new ones."""
        with self._lock:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()


def build_engine(settings: PostgresSettings) -> Engine:
    """An engine whose every wait is bounded: connecting, each statement, the pool, and a peer that went silent.

    Raises:
        DatabaseDisabled: PostgreSQL is not configured.
    """
    url = settings.sqlalchemy_url
    if url is None:
        raise DatabaseDisabled("PostgreSQL is not configured; set DATABASE_URL")
    timeout_ms = int(settings.statement_timeout_seconds * 1000)
    return create_engine(
        url,
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS,
        pool_recycle=1800,
        pool_use_lifo=True,
        connect_args={
            "connect_timeout": max(1, round(settings.connect_timeout_seconds)),
            "application_name": "api-gateway",
            "options": f"-c statement_timeout={timeout_ms} -c idle_in_transaction_session_timeout=60000 -c timezone=UTC",
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": timeout_ms + 2000,
        },
    )




@contextmanager
def translated() -> Iterator[None]:
    """Turn SQLAlchemy's and psycopg2's errors into ours.

    Raises:
        DatabaseError: chosen by SQLSTATE class, then by the vendor's type.
    """
    try:
        yield
    except PoolTimeout as error:
        raise DatabasePoolExhausted(NAME, "Every PostgreSQL connection of this process is in use", retry_after_seconds=1) from error
    except DBAPIError as error:
        raise _by_sqlstate(error) from error
    except SQLAlchemyError as error:
        raise DatabaseFailed(NAME, "PostgreSQL could not run the statement") from error


def _by_sqlstate(error: DBAPIError) -> DatabaseError:
    sqlstate = getattr(error.orig, "pgcode", None) or ""
    for prefix, kind, detail in SQLSTATE_RULES:
        if sqlstate.startswith(prefix):
            return kind(NAME, detail, vendor_code=sqlstate)
    if not sqlstate and (error.connection_invalidated or type(error.orig).__name__ == "OperationalError"):
        return _by_text(str(error.orig))
    return DatabaseFailed(NAME, "PostgreSQL could not run the statement", vendor_code=sqlstate or None)


def _by_text(text: str) -> DatabaseError:
    """libpq gives no SQLSTATE while connecting; its text is the only fact left."""
    if "authentication failed" in text or "no password supplied" in text:
        return DatabaseAuthenticationFailed(NAME, "PostgreSQL refuses our credentials")
    if "timeout expired" in text or "timed out" in text:
        return DatabaseTimeout(NAME, "PostgreSQL did not answer in time", retry_after_seconds=2)
    return DatabaseUnreachable(NAME, "PostgreSQL cannot be reached", retry_after_seconds=2)


# The first matching prefix wins: whole codes stand before their class.
SQLSTATE_RULES: tuple[tuple[str, type[DatabaseError], str], ...] = (
    ("57014", DatabaseTimeout, "PostgreSQL did not answer in time"),  # query_canceled: statement_timeout
    ("55P03", DatabaseTimeout, "PostgreSQL did not grant a lock in time"),  # lock_not_available
    ("25006", DatabaseReadOnly, "PostgreSQL accepts reads only"),  # read_only_sql_transaction
    ("53100", DatabaseReadOnly, "PostgreSQL's disk is full"),  # disk_full
    ("53", DatabaseUnreachable, "PostgreSQL is out of resources"),  # insufficient resources
    ("57", DatabaseUnreachable, "PostgreSQL is shutting down or starting"),  # operator intervention
    ("08", DatabaseUnreachable, "PostgreSQL cannot be reached"),  # connection exception
    ("28", DatabaseAuthenticationFailed, "PostgreSQL refuses our credentials"),  # invalid authorization
    ("3D", DatabaseAuthenticationFailed, "PostgreSQL has no database of this name"),  # invalid catalog name
    ("40", StatementConflict, "PostgreSQL rolled the transaction back because of another one"),  # serialization, deadlock
    ("23", StatementConflict, "The row conflicts with one that exists"),  # integrity constraint violation
    ("42", StatementInvalid, "PostgreSQL refuses the statement"),  # syntax error or access rule violation
    ("22", StatementInvalid, "PostgreSQL refuses a value"),  # data exception
)
