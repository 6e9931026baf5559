"""The one interface of all six databases."""

from collections.abc import Mapping
from typing import Any, Protocol

from gateway.databases.model import DatabaseName, Ping, PoolStats, ResultSet, Role


class Database(Protocol):
    """One database of this process. Opened at first use, never shared across a fork, safe to use from many threads.

    Every method raises DatabaseError (one of its subclasses), never a vendor exception, and ends by its deadline
    even when the server accepts and never answers.
    """

    name: DatabaseName
    engine: str
    role: Role

    @property
    def configured(self) -> bool:
        """Its variables are set. Every other method raises DatabaseDisabled when not."""

    @property
    def limit_seconds(self) -> float:
        """How long one call may take where the caller says nothing else: the database's own setting."""

    def connect(self) -> None:
        """Open and authenticate a connection now, within the engine's own connect limit; harmless when one is open.

        Raises:
            DatabaseUnreachable, DatabaseAuthenticationFailed, DatabaseDisabled.
        """

    def ping(self, timeout_seconds: float) -> Ping:
        """Ask the server for its version, over a connection of its own: callers who hold all the others do not keep it from asking.

        Raises:
            DatabaseTimeout, DatabaseUnreachable, DatabaseAuthenticationFailed, DatabaseDisabled.
        """

    def query(self, statement: str, parameters: Mapping[str, Any], *, timeout_seconds: float, max_rows: int) -> ResultSet:
        """Run one read in the engine's own language; a statement that would write is refused.

        Args:
            statement: in the engine's language (docs/databases.md says how each binds its parameters).
            timeout_seconds: limit for the whole statement, enforced by the server where it can be and by the socket always; > 0.
            max_rows: rows returned at the most; > 0. One more is asked for, to tell `truncated`.
        Raises:
            StatementInvalid, StatementRefused, DatabaseTimeout, DatabaseUnreachable, DatabaseDisabled.
        """

    def pool_stats(self) -> PoolStats:
        """This process's connections. Never does I/O."""

    def close(self) -> None:
        """Close every connection of this process; the next use opens new ones."""
