"""The gateway's app over fakes, for tests of the edge."""

from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from gateway.app import create_app
from tests.fakes.container import FakeContainer, settings

ALL_SCOPES = "read|flows:write|flows:execute|databases:query|metrics|admin"
TOKEN = "a-token-of-sixteen-or-more"
GUARDED = {"GATEWAY_TOKENS": f"operator:{TOKEN}:{ALL_SCOPES},reader:reader-token-0123456789:read"}


def make_app(container: FakeContainer | None = None, **variables: str) -> Flask:
    """An app over this container, or over a new one with these variables."""
    container = container or FakeContainer(settings=settings(**variables))
    return create_app(container=container)  # type: ignore[arg-type]


def make_client(container: FakeContainer | None = None, **variables: str) -> FlaskClient:
    """Its test client."""
    return make_app(container, **variables).test_client()


def bearer(token: str = TOKEN) -> dict[str, str]:
    """Headers of a caller with this token."""
    return {"Authorization": f"Bearer {token}"}


def pointers(problem: dict[str, Any]) -> list[str]:
    """Where a problem's errors point."""
    return [error["pointer"] for error in problem["error"]["errors"]]
