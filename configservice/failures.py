"""From an error to an answer: the one place that knows statuses. Driver text, SQL and stacks never leave the process."""

import math
from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from config.broken_request import BrokenRequest
from configservice.envelope import failure
from configservice.reading import InvalidRequest, detail_of, path_of
from gateway.errors import Conflict, GatewayError, InvalidInput, NotFound, Unauthenticated, Unavailable
from gateway.shapes.reading import Unfit

log = structlog.get_logger(__name__)

STATUSES: tuple[tuple[type[GatewayError], HTTPStatus], ...] = (
    (InvalidInput, HTTPStatus.BAD_REQUEST),
    (Unauthenticated, HTTPStatus.UNAUTHORIZED),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
)


def install_failures(app: Flask) -> None:
    """Every error of every view ends in the platform's error envelope."""
    app.register_error_handler(GatewayError, _render_ours)
    app.register_error_handler(HTTPException, _render_http)
    app.register_error_handler(BrokenRequest, _render_broken)
    app.register_error_handler(Exception, _render_bug)


def _render_ours(error: GatewayError) -> Response:
    status = next((status for kind, status in STATUSES if isinstance(error, kind)), None)
    if status is None:
        return _render_bug(error)
    headers = {}
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        log.warning("dependency_unavailable", detail=error.detail, cause=type(error.__cause__).__name__)
        headers["Retry-After"] = str(math.ceil(error.retry_after_seconds or 1))
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="configuration-service"'
    return failure(status, status.phrase, error.detail, _details(error), headers)


def _details(error: GatewayError) -> list[dict[str, Any]]:
    if isinstance(error, InvalidRequest):
        return [each.to_json() for each in error.details]
    if not isinstance(error, InvalidInput):
        return []
    cause = error.__cause__
    kinds = {flaw.path: detail_of(flaw).type for flaw in cause.flaws} if isinstance(cause, Unfit) else {}
    return [
        {"message": each.detail, "path": list(path_of(each.pointer)), "type": kinds.get(path_of(each.pointer), "any.invalid")}
        for each in error.errors
    ]


def _render_http(error: HTTPException) -> Response:
    response = error.get_response()
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    if status < HTTPStatus.BAD_REQUEST:
        return Response(status=status, headers={"Location": response.headers.get("Location", "")})
    kept = {name: response.headers[name] for name in ("Allow", "Retry-After") if name in response.headers}
    return failure(status, error.name, error.description or error.name, [], kept)


def _render_broken(error: BrokenRequest) -> Response:
    return failure(error.status, HTTPStatus(error.status).phrase, error.detail, [])


def _render_bug(error: Exception) -> Response:
    log.error("request_failed", error_type=type(error).__name__, exc_info=error)
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return failure(status, status.phrase, "The service failed; the log tells more under this request id", [])
