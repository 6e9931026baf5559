"""clickhouse-driver, bounded: a pool with a limit, a deadline over everything, errors that come out as ours. Imported when first used."""

import logging
import math
import select
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from clickhouse_driver import Client, defines
from clickhouse_driver import errors as vendor

from config.databases import ClickHouseSettings
from gateway.databases.clickhouse_errors import ENGINE, NAME, translate
from gateway.databases.clickhouse_statement import bound_statement, with_literals
from gateway.databases.collecting import RowCollector
from gateway.databases.connections import Connections, PoolExhausted
from gateway.databases.deadline import cut_off_after, shut_down
from gateway.databases.error_rules import EXHAUSTED, LATE, NO_DATABASE, made
from gateway.databases.errors import AnswerTooLarge, DatabaseAuthenticationFailed, DatabaseError, DatabaseUnreachable, StatementInvalid
from gateway.databases.limits import MAX_WIRE_BYTES, POOL_WAIT_SECONDS
from gateway.databases.model import PoolStats, ResultSet
from gateway.databases.sql_text import Token

UNKNOWN_DATABASE = "81"
BLOCK_ROWS = 1024  # small blocks: what is in memory at once stays small, and a cut comes soon
QUERY_MEMORY_BYTES = 1024 * 1024 * 1024  # of the server, for one read
MEMORY_EXCEEDED = 241
PROBE_SHARE = 0.25  # of the time for connecting: what is left to tell an HTTP server from one that does not answer

NO_WORD = (vendor.NetworkError, vendor.SocketTimeoutError, OSError)  # what the driver raises when it waited in vain


class Driver:
    """The connections of one process."""

    def __init__(self, settings: ClickHouseSettings) -> None:
        self._settings = settings
        # The driver logs a traceback for each failed connect; our own error says it once, and the poller logs the change.
        logging.getLogger("clickhouse_driver").setLevel(logging.CRITICAL)
        self._connections: Connections[Client] = Connections(
            self._open, _close, _is_open, limit=settings.pool_size, wait_seconds=POOL_WAIT_SECONDS
        )

    def version(self, timeout_seconds: float) -> str:
        with self.connection(timeout_seconds) as client:
            ((version,),) = client.execute("SELECT version()")
            return str(version)

    def read(self, tokens: list[Token], parameters: Mapping[str, Any], *, timeout_seconds: float, max_rows: int) -> ResultSet:
        """One read. The connection is closed when the answer was cut: the rest of it is still on its wire."""
        settings = {
            "readonly": 1,
            "max_execution_time": math.ceil(timeout_seconds),
            "max_result_rows": max_rows + 1,
            "result_overflow_mode": "break",
            "max_block_size": BLOCK_ROWS,
            "max_memory_usage": QUERY_MEMORY_BYTES,
        }
        collector = RowCollector(NAME, max_rows)
        with self.connection(timeout_seconds) as client, _of_the_statement(), _at_most(client, MAX_WIRE_BYTES):
            answer = self._send(client, tokens, parameters, settings)
            columns = [name for name, _ in next(answer, [])]
            if not all(collector.add(row) for row in answer):
                client.disconnect()
        return collector.result(columns)

    @contextmanager
    def connection(self, timeout_seconds: float, silence_seconds: float | None = None) -> Iterator[Client]:
        """A connected client. Connecting and all that the block waits for end, together, after `timeout_seconds`.

        Args:
            silence_seconds: longest time without a word of the server. It tells its progress several times a second while a query runs.
        Raises:
            DatabaseError: any of its subclasses, never a vendor exception.
        """
        began, silence = time.monotonic(), silence_seconds or self._settings.timeout_seconds
        try:
            with (
                self._connections.one(min(timeout_seconds, silence)) as client,
                cut_off_after(began + timeout_seconds - time.monotonic(), lambda: shut_down(client.connection.socket)) as cut,
            ):
                try:
                    _listen_at_most(client, silence)
                    yield client
                except (vendor.Error, OSError, EOFError) as error:
                    if cut.fired or (time.monotonic() - began >= silence and isinstance(error, NO_WORD)):
                        self._connections.close()  # the idle ones may lead nowhere too: nobody shall wait for each of them in turn
                        raise made(NAME, ENGINE, LATE, retry_after_seconds=2) from error
                    raise translate(error) from error
        except PoolExhausted as error:
            raise made(NAME, ENGINE, EXHAUSTED, retry_after_seconds=1) from error

    def pool_stats(self) -> PoolStats:
        return self._connections.stats()

    def close(self) -> None:
        self._connections.close()

    def _send(self, client: Client, tokens: list[Token], parameters: Mapping[str, Any], settings: dict[str, Any]) -> Iterator[Any]:
        if client.connection.server_info.used_revision < defines.DBMS_MIN_PROTOCOL_VERSION_WITH_PARAMETERS:
            text, bound = with_literals(tokens, parameters), None
        else:
            text, bound = bound_statement(tokens, parameters)
            settings = {**settings, "server_side_params": True}
        return iter(client.execute_iter(text, bound, with_column_types=True, settings=settings))

    def _open(self, timeout: float) -> Client:
        settings, patience = self._settings, timeout * (1 - PROBE_SHARE)
        client = Client(
            settings.host,
            port=settings.port,
            user=settings.user,
            password=settings.password.get_secret_value() if settings.password else "",
            database=settings.database,
            client_name="api-gateway",
            connect_timeout=patience,
            send_receive_timeout=patience,  # while connecting, where little time is left: the cut below may come before there is a socket
            tcp_keepalive=(5, 2, 3),
            disable_reconnect=True,  # a new connection would outlive the deadline of the call that wanted the old one
        )
        create_socket = client.connection._create_socket  # the one way to bring our own socket
        client.connection._create_socket = lambda host, port: _Metered(create_socket(host, port))
        with cut_off_after(patience, lambda: shut_down(client.connection.socket)) as cut:
            try:
                client.connection.connect()
            except (vendor.Error, OSError, EOFError) as error:
                client.disconnect()
                raise self._refused(TimeoutError() if cut.fired else error, timeout - patience) from error
        return client

    def _refused(self, error: Exception, probe_seconds: float) -> DatabaseError:
        ours = translate(error)
        if ours.vendor_code == UNKNOWN_DATABASE:
            return made(NAME, ENGINE, NO_DATABASE, UNKNOWN_DATABASE)
        if not isinstance(ours, DatabaseAuthenticationFailed) and self._speaks_http(probe_seconds):
            return DatabaseUnreachable(
                NAME, "CLICKHOUSE_NATIVE_PORT leads to an HTTP server; ClickHouse's native port is 9000 by default", vendor_code="HTTP"
            )
        return ours

    def _speaks_http(self, seconds: float) -> bool:
        """Whether HTTP answers where the native protocol should: the most common slip, and otherwise a mere timeout."""
        try:
            with socket.create_connection((self._settings.host, self._settings.port), seconds / 2) as probe:
                probe.settimeout(seconds / 2)
                probe.sendall(b"GET /ping HTTP/1.0\r\n\r\n")
                return probe.recv(5) == b"HTTP/"
        except OSError:
            return False


@contextmanager
def _of_the_statement() -> Iterator[None]:
    """Errors that a caller's statement makes, and no server that fails."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise StatementInvalid(NAME, "The name of a column is not UTF-8") from error
    except vendor.ServerException as error:
        if error.code != MEMORY_EXCEEDED:
            raise
        detail = "The statement needs more memory than a read may use; ask for less of it"
        raise AnswerTooLarge(NAME, detail, vendor_code=str(error.code)) from error


@contextmanager
def _at_most(client: Client, wire_bytes: int) -> Iterator[None]:
    """Let the driver receive no more than so many bytes: it reads a block to its end, and a block may be one value of any size."""
    metered: _Metered = client.connection.socket
    metered.bytes_left = wire_bytes
    try:
        yield
    finally:
        metered.bytes_left = None


class _Metered:
    """The driver's socket, which may have a cap on what it receives."""

    bytes_left: int | None = None

    def __init__(self, inner: socket.socket) -> None:
        self._inner = inner

    def recv_into(self, buffer: bytearray) -> int:
        """Bytes received.

        Raises:
            AnswerTooLarge: they are more than the cap.
        """
        count = self._inner.recv_into(buffer)
        if self.bytes_left is not None:
            self.bytes_left -= count
            if self.bytes_left < 0:
                raise AnswerTooLarge(NAME, "The answer is too large; ask for less of it")
        return count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _listen_at_most(client: Client, seconds: float) -> None:
    client.connection.sync_request_timeout = seconds  # of the ping that the driver sends before a statement
    client.connection.socket.settimeout(seconds)


def _is_open(client: Client) -> bool:
    """Connected, and nothing is waiting to be read: from a server that owes nothing, that can only be the end."""
    connection = client.connection.socket
    return connection is not None and not select.select([connection], [], [], 0)[0]


def _close(client: Client) -> None:
    client.disconnect()
