"""redis-py, bounded: no retries of its own, a pool with a limit, errors that come out as ours. Imported when first used.

Source: redis-py 8 (connection.py, exceptions.py); https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors (prefixes).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import redis
from redis import exceptions as vendor
from redis.backoff import NoBackoff
from redis.connection import BlockingConnectionPool
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from gateway.databases.errors import (
    AnswerTooLarge,
    DatabaseAuthenticationFailed,
    DatabaseError,
    DatabaseFailed,
    DatabasePoolExhausted,
    DatabaseReadOnly,
    DatabaseTimeout,
    DatabaseUnreachable,
    StatementConflict,
    StatementInvalid,
)
from gateway.databases.limits import POOL_WAIT_SECONDS
from gateway.databases.model import DatabaseName, PoolStats, ResultSet
from gateway.databases.redis_replies import Reply, ReplyBroken, ReplyReader, ReplyTooLarge, ReplyTooLate, ServerError
from gateway.databases.redis_waiting import BoundedParser

INFO_BYTES = 256 * 1024


class CountingPool(BlockingConnectionPool):
    """The driver's pool, which also counts how often a caller found no connection free."""

    waits = 0

    def get_connection(self, *_args: Any, **_options: Any) -> Any:
        """A connected connection.

        Raises:
            vendor.MaxConnectionsError: all of them stayed in use for as long as a caller waits.
        """
        waiting = self.pool.empty()
        self.waits += waiting
        try:
            return super().get_connection()  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
        except vendor.ConnectionError as error:
            if waiting and "No connection available" in str(error):  # the driver has no class of its own for it
                raise vendor.MaxConnectionsError from error
            raise

    def stats(self) -> PoolStats:
        """In use and idle as of now; idle ones may have been closed by the server meanwhile."""
        free = list(self.pool.queue)
        idle = sum(1 for connection in free if connection is not None)
        return PoolStats(self.max_connections - len(free), idle, self.max_connections, self.waits)


class Driver:
    """One client and its pool, for one process."""

    def __init__(self, name: DatabaseName, engine: str, url: str, *, pool_size: int, timeout_seconds: float) -> None:
        self._name = name
        self._engine = engine
        self._pool = CountingPool.from_url(
            url,
            max_connections=pool_size,
            timeout=min(timeout_seconds, POOL_WAIT_SECONDS),
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            socket_keepalive=True,
            parser_class=BoundedParser,
            retry=Retry(NoBackoff(), 0),
            protocol=3,
            driver_info=None,
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
        )
        self.client = redis.Redis(connection_pool=self._pool)

    def connect(self) -> None:
        with self.translated():
            self._release(self._pool.get_connection())

    def version(self, fields: tuple[str, ...], timeout_seconds: float) -> str:
        """The server's version, from the first of `fields` that its INFO has."""
        answer = self.read([b"INFO", b"server"], timeout_seconds=timeout_seconds, max_rows=1, max_bytes=INFO_BYTES)
        lines = answer.rows[0][0].decode(errors="replace").splitlines()
        info = dict(line.split(":", 1) for line in lines if ":" in line)
        return next((info[field] for field in fields if field in info), "unknown")

    def read(self, words: list[bytes], *, timeout_seconds: float, max_rows: int, max_bytes: int) -> ResultSet:
        """Send one command and read its reply, cut to the caps."""
        with self.translated():
            connection = self._pool.get_connection()
        whole = False
        try:
            with self.translated():
                connection.send_packed_command(_pack(words))
                reader = ReplyReader(connection._sock, timeout_seconds=timeout_seconds, max_rows=max_rows, max_bytes=max_bytes)
                reply = reader.read()
                whole = isinstance(reply, ServerError) or not reply.truncated
                return self._result(connection, reply)
        finally:
            if whole:
                connection._sock.settimeout(connection.socket_timeout)
            else:
                connection.disconnect()  # what is left of the reply must not be taken for the next one
            self._release(connection)

    def pool_stats(self) -> PoolStats:
        return self._pool.stats()

    def close(self) -> None:
        self._pool.disconnect()

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn redis-py's errors, and those of reading a reply, into ours.

        Raises:
            DatabaseError: by the vendor's class, then by the prefix of the server's error line.
        """
        try:
            yield
        except (vendor.RedisError, vendor.RedisClusterException, vendor.ChildDeadlockedError, vendor.IncorrectPolicyType) as error:
            raise self._translate(error) from error
        except ReplyTooLarge as error:
            raise AnswerTooLarge(self._name, "One value of the answer is too large; ask for a range of it") from error
        except (ReplyTooLate, TimeoutError) as error:
            raise DatabaseTimeout(self._name, f"{self._engine} did not answer in time", retry_after_seconds=1) from error
        except (ReplyBroken, OSError) as error:
            raise DatabaseUnreachable(self._name, f"{self._engine} closed the connection", retry_after_seconds=1) from error

    def _release(self, connection: Any) -> None:
        self._pool.release(connection)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped

    def _result(self, connection: Any, reply: Reply | ServerError) -> ResultSet:
        if isinstance(reply, ServerError):
            raise connection._parser.parse_error(reply.line)
        return ResultSet(reply.columns, tuple(reply.rows), reply.truncated)

    def _translate(self, error: Exception) -> DatabaseError:
        prefix = str(getattr(error, "status_code", "") or str(error).split(" ", 1)[0])[:32]
        rule = PREFIX_RULES.get(prefix) or rule_for(type(error))
        kind, detail = rule
        return kind(self._name, detail.format(engine=self._engine), vendor_code=prefix if prefix.isupper() else type(error).__name__)


def _pack(words: list[bytes]) -> list[bytes]:
    """The command on the wire. redis-py's packer splits the first word at spaces; ours are words already."""
    return [b"".join([b"*%d\r\n" % len(words), *(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)])]


Rule = tuple[type[DatabaseError], str]

UNREACHABLE: Rule = (DatabaseUnreachable, "{engine} cannot be reached")
REFUSES_US: Rule = (DatabaseAuthenticationFailed, "{engine} refuses our credentials")
REFUSES: Rule = (StatementInvalid, "{engine} refuses the command")
FAILED: Rule = (DatabaseFailed, "{engine} could not run the command")
CONFLICT: Rule = (StatementConflict, "{engine} did not run the command because of another one")
NOT_NOW: Rule = (DatabaseUnreachable, "{engine} does not serve for now")
FULL: Rule = (DatabaseReadOnly, "{engine} accepts reads only")

# Prefixes that the driver has no class for, or a wrong one.
PREFIX_RULES: Mapping[str, Rule] = {
    "WRONGTYPE": (StatementInvalid, "The key holds another type of value"),
    "MISCONF": FULL,  # snapshots fail: mostly a full disk
    "NOREPLICAS": FULL,
    "OOM": (DatabaseReadOnly, "{engine} is out of memory for writes"),
    "BUSY": (DatabaseTimeout, "{engine} is busy running a script"),
    "DENIED": UNREACHABLE,  # protected mode
}

# Every exception class of redis-py; a test fails when a new version brings one that is not here.
CLASS_RULES: Mapping[type[Exception], Rule] = {
    vendor.RedisError: FAILED,
    vendor.ConnectionError: UNREACHABLE,
    vendor.TimeoutError: (DatabaseTimeout, "{engine} did not answer in time"),
    vendor.AuthenticationError: REFUSES_US,
    vendor.AuthorizationError: REFUSES_US,
    vendor.AuthenticationWrongNumberOfArgsError: REFUSES_US,
    vendor.ExternalAuthProviderError: REFUSES_US,
    vendor.NoPermissionError: REFUSES_US,
    vendor.BusyLoadingError: (DatabaseUnreachable, "{engine} is still loading its data"),
    vendor.MaxConnectionsError: (DatabasePoolExhausted, "Every {engine} connection of this process is in use"),
    vendor.InvalidResponse: (DatabaseUnreachable, "What answers is not {engine}"),
    vendor.ResponseError: REFUSES,
    vendor.DataError: REFUSES,
    vendor.PubSubError: FAILED,
    vendor.WatchError: CONFLICT,
    vendor.NoScriptError: REFUSES,
    vendor.OutOfMemoryError: FULL,
    vendor.ExecAbortError: CONFLICT,
    vendor.ReadOnlyError: FULL,
    vendor.ModuleError: REFUSES,
    vendor.NoSuchFieldsetError: REFUSES,
    vendor.LockError: CONFLICT,
    vendor.LockNotOwnedError: CONFLICT,
    vendor.ChildDeadlockedError: FAILED,
    vendor.RedisClusterException: NOT_NOW,
    vendor.ClusterError: NOT_NOW,
    vendor.ClusterDownError: NOT_NOW,
    vendor.AskError: NOT_NOW,
    vendor.TryAgainError: NOT_NOW,
    vendor.MovedError: NOT_NOW,
    vendor.MasterDownError: NOT_NOW,
    vendor.SlotNotCoveredError: NOT_NOW,
    vendor.ClusterCrossSlotError: REFUSES,
    vendor.CrossSlotTransactionError: REFUSES,
    vendor.InvalidPipelineStack: FAILED,
    vendor.IncorrectPolicyType: FAILED,
}


def rule_for(kind: type[BaseException]) -> Rule:
    """The rule of a vendor class, or of the nearest class it derives from."""
    return next((CLASS_RULES[base] for base in kind.__mro__ if base in CLASS_RULES), FAILED)
