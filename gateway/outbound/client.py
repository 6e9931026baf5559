"""The one HTTP client: urllib3 without its retries and redirects, under one deadline for the whole call.

No call is repeated, with one exception. A kept connection can be closed by the server at the very moment it is used again; when it
broke before one byte of the answer came, the request is sent once more over a new connection, provided that doing it twice is harmless:
an idempotent method, or an Idempotency-Key (RFC 9112 §9.3.1, RFC 9110 §9.2.2). A connection that broke while it lay idle is noticed by
urllib3 before anything is sent. Every other repetition is decided elsewhere (design.md, decision 6).
"""

import json as json_text
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError

from gateway.clock import Clock
from gateway.errors import UpstreamInvalid
from gateway.observability.context import current_request_id
from gateway.outbound.answer import Answer
from gateway.outbound.deadline import DeadlineHTTPConnection, DeadlineHTTPSConnection, Exchange, current_exchange
from gateway.outbound.errors import CallTimedOut, RequestInvalid, UpstreamUnreachable
from gateway.outbound.translation import translate
from gateway.version import VERSION

MAX_ANSWER_BYTES = 10 * 1024 * 1024
CHUNK_BYTES = 64 * 1024
HOSTS = 64  # pools kept at once, the least recently used is dropped
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})  # RFC 9110 §9.2.2


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = DeadlineHTTPConnection


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = DeadlineHTTPSConnection


@dataclass(frozen=True)
class _Call:
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    max_bytes: int


class HttpClient:
    """Calls other services. Safe for threads; a forked child opens connections of its own."""

    def __init__(self, pool_size: int, clock: Clock) -> None:
        """`pool_size`: connections kept and used at once, per called host and process."""
        self._pool_size = pool_size
        self._clock = clock
        self._lock = threading.Lock()
        self._manager: urllib3.PoolManager | None = None
        self._owner = 0

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        body: bytes | None = None,
        timeout_seconds: float,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> Answer:
        """One call: whatever status comes back is an Answer, also 3xx, 4xx and 5xx.

        Args:
            json: any JSON value, sent instead of `body`; None sends none (send `body=b"null"` for a JSON null).
            timeout_seconds: limit of everything together, from the name to the last byte.
            max_bytes: largest body accepted, after decoding.
        Raises:
            UpstreamUnreachable, CallTimedOut (an UpstreamTimeout), UpstreamInvalid, RequestInvalid; never a urllib3 exception.
        """
        if not url.lower().startswith(("http://", "https://")):
            raise RequestInvalid("The address does not begin with http:// or https://")
        sent_headers, sent_body = _prepare(headers, json, body)
        call = _Call(method.upper(), url, sent_headers, sent_body, max_bytes)
        deadline = self._clock.monotonic() + timeout_seconds
        exchange = Exchange(remaining=lambda: deadline - self._clock.monotonic())
        try:
            return self._exchange(exchange, call)
        except UpstreamUnreachable:
            if not _may_repeat(exchange, call):
                raise
        except CallTimedOut:
            if not exchange.connected:
                self._forget_idle(url)
            raise
        return self._exchange(Exchange(remaining=exchange.remaining, force_fresh=True), call)

    def close(self) -> None:
        """Close the idle connections; the next call opens new ones."""
        with self._lock:
            manager, self._manager = self._manager, None
        if manager is not None and self._owner == os.getpid():
            manager.clear()

    def _exchange(self, exchange: Exchange, call: _Call) -> Answer:
        with _translated(exchange), _current(exchange):
            response = self._pools().request(
                call.method,
                call.url,
                headers=call.headers,
                body=call.body,
                retries=False,
                redirect=False,
                preload_content=False,
                timeout=exchange.time_left(),
                pool_timeout=exchange.time_left(),
            )
            return _read(response, call.max_bytes)

    def _forget_idle(self, url: str) -> None:
        """After silence on a kept connection the others to that host may lead nowhere too: nobody shall wait for each of them in turn.

        Those in use end with their calls.
        """
        manager = self._pools()
        forgotten = manager.connection_from_url(url)
        for key in manager.pools.keys():  # noqa: SIM118 - its container is no plain dict
            if manager.pools.get(key) is forgotten:
                with suppress(KeyError):  # another thread was faster
                    del manager.pools[key]

    def _pools(self) -> urllib3.PoolManager:
        """This process's pools, built at first use: a forked child leaves its parent's sockets alone."""
        with self._lock:
            if self._manager is None or self._owner != os.getpid():
                self._owner = os.getpid()
                self._manager = urllib3.PoolManager(HOSTS, maxsize=self._pool_size, block=True)
                self._manager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
            return self._manager


def _prepare(headers: Mapping[str, str] | None, json: Any, body: bytes | None) -> tuple[dict[str, str], bytes | None]:
    prepared = {name.lower(): value for name, value in (headers or {}).items()}
    prepared.setdefault("user-agent", f"api-gateway/{VERSION}")
    request_id = current_request_id()
    if request_id:
        prepared.setdefault("x-request-id", request_id)
    if json is None:
        return prepared, body
    prepared.setdefault("content-type", "application/json")
    try:
        return prepared, json_text.dumps(json, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise RequestInvalid("The body is not a JSON value") from error


def _may_repeat(exchange: Exchange, call: _Call) -> bool:
    """The connection was a kept one, it broke before the answer began, and doing it twice is harmless."""
    stale = exchange.sent and not exchange.connected and not exchange.received
    return stale and (call.method in IDEMPOTENT or "idempotency-key" in call.headers)


def _read(response: urllib3.BaseHTTPResponse, max_bytes: int) -> Answer:
    """The whole body, or the connection is dropped: it cannot be used again with half an answer in it."""
    try:
        body = _read_body(response, max_bytes)
    except BaseException:
        response.close()
        raise
    response.release_conn()
    return Answer(response.status, {name.lower(): response.headers[name] for name in response.headers}, body)


def _read_body(response: urllib3.BaseHTTPResponse, max_bytes: int) -> bytes:
    body = bytearray()
    while chunk := response.read(min(CHUNK_BYTES, max_bytes + 1), decode_content=True):
        body += chunk
        if len(body) > max_bytes:
            raise UpstreamInvalid("The called service answered more than it may")
    return bytes(body)


@contextmanager
def _current(exchange: Exchange) -> Iterator[None]:
    token = current_exchange.set(exchange)
    try:
        yield
    finally:
        current_exchange.reset(token)


@contextmanager
def _translated(exchange: Exchange) -> Iterator[None]:
    try:
        yield
    except (HTTPError, OSError, ValueError) as error:  # ValueError: http.client refuses a header, method or path
        raise translate(error, sent=exchange.sent) from error
