"""HTTP for drivers that let us bring our own: urllib3 with no retries, no redirects, one deadline over all, and a cap on the body.

Imported when first used.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from gateway.databases.connections import Slots
from gateway.databases.deadline import cut_off_after, shut_down
from gateway.databases.model import PoolStats

CHUNK_BYTES = 64 * 1024
_thread = threading.local()


class BodyTooLarge(Exception):
    """The body holds more bytes than allowed."""


class TooLate(Exception):
    """The answer was not complete by the deadline."""


@dataclass(frozen=True)
class HttpAnswer:
    """One answer. `body` is decoded as UTF-8; a byte that is none stands as U+FFFD."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: str


class _Wire:
    """The connection that a call uses, so that another thread can cut it."""

    connection: HTTPConnection | None = None

    def cut(self) -> None:
        shut_down(getattr(self.connection, "sock", None))


class _TrackedHttp(HTTPConnection):
    def request(self, *args: Any, **kwargs: Any) -> None:
        _thread.wire.connection = self
        super().request(*args, **kwargs)


class _TrackedHttps(_TrackedHttp, HTTPSConnection):
    """HTTPS, tracked in the same way."""


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _TrackedHttp


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _TrackedHttps


class BoundedHttp:
    """A pool of at most `limit` connections to one server."""

    def __init__(self, *, limit: int, wait_seconds: float) -> None:
        self._slots = Slots(limit, wait_seconds)
        self._manager = urllib3.PoolManager(num_pools=1, maxsize=limit, retries=False)
        self._manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}

    def send(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, deadline: float, max_bytes: int) -> HttpAnswer:
        """One request and its whole answer, by `deadline` (of time.monotonic).

        Raises:
            PoolExhausted, TooLate, BodyTooLarge, urllib3.exceptions.HTTPError.
        """
        wire = _thread.wire = _Wire()
        with self._slots.one(deadline - time.monotonic()), cut_off_after(deadline - time.monotonic(), wire.cut) as cut:
            try:
                timeout = urllib3.Timeout(total=max(0.001, deadline - time.monotonic()))
                answer = self._manager.request(
                    method, url, headers=headers, body=body, timeout=timeout, retries=False, redirect=False, preload_content=False
                )
                return HttpAnswer(answer.status, answer.reason or "", answer.headers, _whole_body(answer, max_bytes))
            except (urllib3.exceptions.HTTPError, OSError) as error:
                # urllib3 calls a refused connection a timeout too.
                refused = isinstance(error, urllib3.exceptions.NewConnectionError)
                if cut.fired or (not refused and isinstance(error, urllib3.exceptions.TimeoutError | TimeoutError)):
                    self.close()  # the idle ones may lead nowhere too: nobody shall wait for each of them in turn
                    raise TooLate from error
                raise

    def stats(self) -> PoolStats:
        pools = [self._manager.pools.get(key) for key in self._manager.pools.keys()]  # noqa: SIM118 - its container is no plain dict
        idle = sum(1 for pool in pools if pool and pool.pool for connection in list(pool.pool.queue) if connection is not None)
        return self._slots.stats(idle)

    def close(self) -> None:
        """Close those that are idle; one in use is closed when its call is over."""
        self._manager.clear()


def _whole_body(answer: urllib3.BaseHTTPResponse, max_bytes: int) -> str:
    whole = bytearray()
    for chunk in answer.stream(CHUNK_BYTES):
        whole += chunk
        if len(whole) > max_bytes:
            answer.close()  # the rest is still on the wire
            raise BodyTooLarge
    answer.release_conn()
    return whole.decode(errors="replace")
