"""Reading what a view left of a request's body, so that the answer reaches the client.

A server that closes a connection with unread bytes in it resets it, and a client that is still sending sees the reset instead of the
413 or 401 (RFC 9112 §9.6). What is read here is thrown away, and bounded.
"""

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CHUNK_BYTES = 64 * 1024
DRAINED_BODIES = 4  # as many times the largest body that is accepted


class DrainBody:
    """WSGI middleware. `max_body_bytes`: the largest body accepted; four times that is read, and whoever sends more is cut off."""

    def __init__(self, app: "WSGIApplication", max_body_bytes: int) -> None:
        self._app = app
        self._max_bytes = DRAINED_BODIES * max_body_bytes

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        answer = self._app(environ, start_response)
        if environ.get("wsgi.input_terminated"):  # else reading past the end would wait for ever
            self._drain(environ)
        return answer

    def _drain(self, environ: "WSGIEnvironment") -> None:
        left = self._max_bytes
        with contextlib.suppress(Exception):  # gunicorn's own for a broken chunk among them; the answer is made already
            while left > 0 and (chunk := environ["wsgi.input"].read(min(CHUNK_BYTES, left))):
                left -= len(chunk)
