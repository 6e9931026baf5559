"""redis-py, bounded: no retries of its own, a pool with a limit, errors that come out as ours. Imported when first used.

Source: redis-py 8 (connection.py).
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import Empty
from typing import Any

import redis
from redis import exceptions as vendor
from redis.backoff import NoBackoff
from redis.connection import BlockingConnectionPool
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from gateway.databases.driven import PooledSettings
from gateway.databases.error_rules import LATE, made
from gateway.databases.errors import AnswerTooLarge, DatabaseTimeout, DatabaseUnreachable
from gateway.databases.limits import POOL_WAIT_SECONDS
from gateway.databases.model import DatabaseName, PoolStats, ResultSet
from gateway.databases.redis_errors import translate
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

    def disconnect_idle(self) -> None:
        """Close the connections that nobody uses; each is opened again by its next user."""
        idle: list[Any] = []
        with suppress(Empty):
            while True:
                idle.append(self.pool.get_nowait())  # taken out, so that nobody begins to use it meanwhile
        for connection in reversed(idle):
            if connection is not None:
                connection.disconnect()
            self.pool.put_nowait(connection)

    def stats(self) -> PoolStats:
        """In use and idle as of now; idle ones may have been closed by the server meanwhile."""
        free = list(self.pool.queue)
        idle = sum(1 for connection in free if connection is not None)
        return PoolStats(self.max_connections - len(free), idle, self.max_connections, self.waits)


class Driver:
    """One client and its pool, for one process."""

    def __init__(self, name: DatabaseName, engine: str, url: str, limits: PooledSettings, version_fields: tuple[str, ...]) -> None:
        """`version_fields`: of the server's INFO; the first that it has is its version."""
        timeout_seconds = limits.timeout_seconds
        self._name = name
        self._engine = engine
        self._version_fields = version_fields
        self._pool = CountingPool.from_url(
            url,
            max_connections=limits.pool_size,
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

    def version(self, timeout_seconds: float) -> str:
        answer = self.read([b"INFO", b"server"], timeout_seconds=timeout_seconds, max_rows=1, max_bytes=INFO_BYTES)
        lines = answer.rows[0][0].decode(errors="replace").splitlines()
        info = dict(line.split(":", 1) for line in lines if ":" in line)
        return next((info[field] for field in self._version_fields if field in info), "unknown")

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

        After a silence the idle connections may lead nowhere too: nobody shall wait for each of them in turn.

        Raises:
            DatabaseError: any of its subclasses, never a vendor exception.
        """
        try:
            with self._as_ours():
                yield
        except DatabaseTimeout:
            self._pool.disconnect_idle()
            raise

    @contextmanager
    def _as_ours(self) -> Iterator[None]:
        try:
            yield
        except (vendor.RedisError, vendor.RedisClusterException, vendor.ChildDeadlockedError, vendor.IncorrectPolicyType) as error:
            raise translate(self._name, self._engine, error) from error
        except ReplyTooLarge as error:
            raise AnswerTooLarge(self._name, "One value of the answer is too large; ask for a range of it") from error
        except (ReplyTooLate, TimeoutError) as error:
            raise made(self._name, self._engine, LATE, retry_after_seconds=1) from error
        except (ReplyBroken, OSError) as error:
            raise DatabaseUnreachable(self._name, f"{self._engine} closed the connection", retry_after_seconds=1) from error

    def _release(self, connection: Any) -> None:
        self._pool.release(connection)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped

    def _result(self, connection: Any, reply: Reply | ServerError) -> ResultSet:
        if isinstance(reply, ServerError):
            raise connection._parser.parse_error(reply.line)
        return ResultSet(reply.columns, tuple(reply.rows), reply.truncated)


def _pack(words: list[bytes]) -> list[bytes]:
    """The command on the wire. redis-py's packer splits the first word at spaces; ours are words already."""
    return [b"".join([b"*%d\r\n" % len(words), *(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)])]
