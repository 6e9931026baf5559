"""`GET /health`: whether this process can serve, which means whether PostgreSQL answers it. No envelope, as the platform answers it."""

import time
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, jsonify

from configservice import NAME, VERSION
from configservice.container import Parts, parts
from configservice.envelope import moment
from gateway.errors import GatewayError

blueprint = Blueprint("health", __name__)


@blueprint.get("/health")
def show_health() -> Response:
    """200 while PostgreSQL answers, 503 otherwise. The only route without a token."""
    status = check_database(parts())["status"]
    settings = parts().settings
    body = {**describe(parts(), status), "environment": settings.process.environment, "port": settings.config_service.port}
    return answer(body)


def describe(of: Parts, status: str) -> dict[str, Any]:
    """What both health answers share; `uptime` in seconds."""
    now = datetime.now(UTC)
    return {
        "status": status,
        "service": NAME,
        "version": VERSION,
        "uptime": round((now - of.started_at).total_seconds(), 3),
        "timestamp": moment(now),
    }


def check_database(of: Parts) -> dict[str, Any]:
    """`{status, latencyMs}` of one question to PostgreSQL, and `error` when it failed."""
    started = time.perf_counter()
    try:
        of.database.ping()
    except GatewayError as error:
        return {"status": "unhealthy", "latencyMs": _since(started), "error": error.detail}
    return {"status": "healthy", "latencyMs": _since(started)}


def answer(body: dict[str, Any]) -> Response:
    """The health as JSON, 503 unless healthy."""
    response = jsonify(body)
    if body["status"] != "healthy":
        response.status_code = 503
        response.headers["Retry-After"] = "2"
    return response


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)
