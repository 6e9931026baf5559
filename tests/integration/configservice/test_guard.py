"""The token, and the request id through answers and the log."""

from collections.abc import Callable

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient

MakeService = Callable[..., Flask]


def test_with_a_token_everything_but_health_needs_it(make_config_service: MakeService) -> None:
    client = make_config_service(CONFIG_SERVICE_TOKEN="s3cret-token").test_client()
    for path in ("/api/v1/services", "/api/v1/flows/health", "/nowhere", "/api/config/k"):
        response = client.get(path)
        assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, 'Bearer realm="configuration-service"')
        assert set(response.json or {}) == {"error", "message", "details"}
    for wrong in ("Bearer nope", "Bearer s3cret-token2", "Basic s3cret-token", "Bearer é中", "s3cret-token", "bearer"):
        assert client.get("/api/v1/services", headers={"Authorization": wrong.encode("utf-8").decode("latin-1")}).status_code == 401
    assert client.get("/health").status_code == 200
    assert client.get("/api/v1/services", headers={"Authorization": "Bearer s3cret-token"}).status_code == 200


def test_the_request_id_is_the_callers_or_new(config_client: FlaskClient) -> None:
    assert config_client.get("/health", headers={"X-Request-ID": "abc-1.2_3"}).headers["X-Request-ID"] == "abc-1.2_3"
    for broken in ("", "a b", "x" * 129, "é"):
        given = config_client.get("/nowhere", headers={"X-Request-ID": broken}).headers["X-Request-ID"]
        assert given != broken
        assert len(given) == 36


def test_every_request_is_logged_with_its_id_and_without_its_query(config_client: FlaskClient) -> None:
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        config_client.get("/api/v1/config?key=k&userId=somebody", headers={"X-Request-ID": "r1", "X-Service": "api-gateway"})
    (line,) = [each for each in logs if each["event"] == "request_served"]
    assert (line["request_id"], line["path"], line["status"], line["service"]) == ("r1", "/api/v1/config", 404, "api-gateway")
    assert "somebody" not in str(line)


def test_a_bug_is_a_500_that_tells_nothing(config_service: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("password=hunter2")

    config_service.add_url_rule("/bug", view_func=fail)
    with structlog.testing.capture_logs() as logs:
        response = config_service.test_client().get("/bug")
    assert response.status_code == 500
    assert "hunter2" not in response.text
    assert [each["event"] for each in logs if each["log_level"] == "error"] == ["request_failed"]
