"""Reads one RESP reply under three caps: rows, bytes, time. redis-py reads a reply to its end, however long that is.

Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

import socket
import time
from dataclasses import dataclass
from typing import Any

MAX_DEPTH = 32
_SCALARS = {b"+": bytes, b":": int, b"(": int, b",": float}


class ReplyTooLarge(Exception):
    """The reply holds more bytes than allowed."""


class ReplyTooLate(Exception):
    """The reply was not complete by the deadline."""


class ReplyBroken(Exception):
    """The connection closed in mid-reply, or what came is not RESP."""


@dataclass(frozen=True)
class ServerError:
    """An error reply: its line, without the leading `-`."""

    line: str


@dataclass(frozen=True)
class Reply:
    """What came: a scalar (`columns` is ("value",)), a list, or pairs (("key", "value")).

    `truncated`: the rest is still on the wire, so the connection must be dropped.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    truncated: bool = False


class ReplyReader:
    """One reply from one socket. `timeout_seconds` is for the whole of it."""

    def __init__(self, connection: socket.socket, *, timeout_seconds: float, max_rows: int, max_bytes: int) -> None:
        self._socket = connection
        self._deadline = time.monotonic() + timeout_seconds
        self._max_rows = max_rows
        self._bytes_left = max_bytes
        self._buffer = bytearray()

    def read(self) -> Reply | ServerError:
        """The reply, cut to the caps.

        Raises:
            ReplyTooLarge: a single value exceeds the bytes. ReplyTooLate, ReplyBroken: as they say.
        """
        kind, rest = self._line()
        if kind in {b"*", b"~", b">", b"%"}:
            return self._rows(kind, int(rest))
        value = self._value(kind, rest, 0)
        return value if isinstance(value, ServerError) else Reply(("value",), [(value,)])

    def _rows(self, kind: bytes, count: int) -> Reply:
        width = 2 if kind == b"%" else 1
        columns = ("key", "value") if width == 2 else ("value",)
        if count < 0:
            return Reply(columns, [(None,)])
        rows: list[tuple[Any, ...]] = []
        for _ in range(min(count, self._max_rows)):
            try:
                rows.append(tuple(self._value(*self._line(), 1) for _ in range(width)))
            except ReplyTooLarge:
                if not rows:
                    raise
                return Reply(columns, rows, truncated=True)
        return Reply(columns, rows, truncated=count > self._max_rows)

    def _value(self, kind: bytes, rest: bytes, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise ReplyTooLarge
        if kind in _SCALARS:
            return _SCALARS[kind](rest)
        if kind in {b"-", b"!"}:
            return ServerError((self._bulk(int(rest)) if kind == b"!" else rest).decode(errors="replace"))
        if kind in {b"$", b"="}:
            return None if rest == b"-1" else self._bulk(int(rest))[4 if kind == b"=" else 0 :]
        if kind in {b"_", b"#"}:
            return None if kind == b"_" else rest == b"t"
        return self._nested(kind, int(rest), depth)

    def _nested(self, kind: bytes, count: int, depth: int) -> Any:
        if kind in {b"*", b"~", b">"}:
            return None if count < 0 else [self._value(*self._line(), depth + 1) for _ in range(count)]
        if kind == b"%":
            return [[self._value(*self._line(), depth + 1), self._value(*self._line(), depth + 1)] for _ in range(count)]
        raise ReplyBroken

    def _line(self) -> tuple[bytes, bytes]:
        end = self._buffer.find(b"\r\n")
        while end < 0:
            self._receive()
            end = self._buffer.find(b"\r\n")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        if not line:
            raise ReplyBroken
        return line[:1], line[1:]

    def _bulk(self, length: int) -> bytes:
        if length > self._bytes_left:
            raise ReplyTooLarge
        while len(self._buffer) < length + 2:
            self._receive()
        value = bytes(self._buffer[:length])
        del self._buffer[: length + 2]
        return value

    def _receive(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise ReplyTooLate
        self._socket.settimeout(left)
        try:
            chunk = self._socket.recv(65536)
        except TimeoutError as error:
            raise ReplyTooLate from error
        if not chunk:
            raise ReplyBroken
        self._bytes_left -= len(chunk)
        if self._bytes_left < 0:
            raise ReplyTooLarge
        self._buffer += chunk
