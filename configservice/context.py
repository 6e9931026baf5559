"""What surrounds every request: its id, its line in the log, the guard, and refusal of what no route may see."""

import hmac
import re
import time
import uuid

import structlog
from flask import Flask, Response, g, request

from config.broken_request import ENVIRON_KEY
from configservice.reading import InvalidRequest
from gateway.errors import Unauthenticated

log = structlog.get_logger(__name__)

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
OPEN_PATHS = frozenset({"/health"})


def install_context(app: Flask, token: str | None) -> None:
    """Bind the request id, guard the service with `token` when there is one, log each request once it is answered."""
    expected = f"Bearer {token}".encode() if token else None

    def guard() -> None:
        if expected is None or request.path in OPEN_PATHS:
            return
        given = request.headers.get("Authorization", "").encode("latin-1", "replace")
        if not hmac.compare_digest(given, expected):
            raise Unauthenticated("Authorization: Bearer <CONFIG_SERVICE_TOKEN> is required")

    app.before_request(_begin)
    app.before_request(guard)
    app.before_request(_refuse_nul)
    app.after_request(_finish)


def _begin() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) else str(uuid.uuid4())
    g.started = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)
    if (error := request.environ.get(ENVIRON_KEY)) is not None:  # the server has no request for us, but something to be answered
        raise error


def _refuse_nul() -> None:
    """PostgreSQL cannot hold U+0000, so nothing can be found under it."""
    if "\x00" in request.path:
        raise InvalidRequest.of("The path holds the character U+0000")
    for name, value in request.args.items(multi=True):
        if "\x00" in value:
            raise InvalidRequest.of("holds the character U+0000", name)


def _finish(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.request_id
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    say = log.debug if request.path in OPEN_PATHS else log.info  # a probe every few seconds is no news
    say(
        "request_served",
        method=request.method,
        path=request.path,
        status=response.status_code,
        duration_ms=round((time.perf_counter() - g.started) * 1000, 2),
        service=request.headers.get("X-Service"),
    )
    return response
