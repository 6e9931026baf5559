"""Every error becomes a problem with the platform's envelope; nothing of the inside gets out."""

import io
from datetime import datetime
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from gateway.api.problems import status_of
from gateway.databases.errors import DatabaseAuthenticationFailed, DatabaseTimeout, DatabaseUnreachable, StatementInvalid
from gateway.errors import Conflict, GatewayError, KeyReused, NotFound, Unavailable, UpstreamInvalid, UpstreamTimeout
from gateway.recovery.breaker import BreakerOpen
from gateway.recovery.classify import classify
from gateway.recovery.model import Action
from gateway.recovery.targets import refuse
from tests.fakes.container import FakeContainer
from tests.fakes.edge import GUARDED, bearer, make_client, pointers

KEY = "/api/v1/config/some.key"


def failing(error: Exception) -> FlaskClient:
    container = FakeContainer()
    container.configuration.error = error
    return make_client(container)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (DatabaseUnreachable("postgres", "PostgreSQL cannot be reached"), 503),
        (DatabaseTimeout("postgres", "PostgreSQL did not answer in time"), 504),
        (DatabaseAuthenticationFailed("postgres", "PostgreSQL refuses our credentials"), 503),
        (StatementInvalid("postgres", "PostgreSQL refuses the statement"), 400),
        (KeyReused("used before"), 422),
        (NotFound("nothing"), 404),
        (Conflict("exists"), 409),
        (Unavailable("down"), 503),
        (BreakerOpen("service:orders", 3.0), 503),
        (UpstreamInvalid("nonsense"), 502),
        (UpstreamTimeout("slow"), 504),
        (GatewayError("a bug"), 500),
        (ValueError("a bug"), 500),
    ],
)
def test_the_most_specific_base_of_an_error_gives_its_status(error: Exception, status: int) -> None:
    assert status_of(error) == status


def test_a_database_error_has_every_member_of_the_contract() -> None:
    error = DatabaseUnreachable("clickhouse", "ClickHouse does not answer", vendor_code="210", retry_after_seconds=5)
    response = failing(error).get(KEY, headers={"X-Request-ID": "abc-1"})
    problem = response.get_json()
    assert (response.status_code, response.mimetype) == (503, "application/problem+json")
    assert problem.pop("timestamp").endswith("Z")
    assert problem["error"].pop("fingerprint")
    assert problem["recovery"].pop("guidance")
    assert problem == {
        "type": "/problems/database-connection",
        "title": "A database cannot be reached",
        "status": 503,
        "detail": "ClickHouse does not answer",
        "instance": KEY,
        "success": False,
        "message": "ClickHouse does not answer",
        "code": "DATABASE_CONNECTION_ERROR",
        "error": {
            "type": "DATABASE_CONNECTION_ERROR",
            "message": "ClickHouse does not answer",
            "severity": "high",
            "category": "infrastructure",
            "retryable": True,
            "errors": [],
        },
        "recovery": {"action": "reconnect_database", "strategy": "delayed", "retryAfter": 5000, "recoveryId": "recovery-1"},
        "requestId": "abc-1",
    }


def test_waiting_time_is_told_in_seconds_in_the_header_and_in_milliseconds_in_the_body() -> None:
    response = failing(Unavailable("down", retry_after_seconds=2.2)).get(KEY)
    assert response.headers["Retry-After"] == "3"
    assert response.get_json()["recovery"]["retryAfter"] == 2200


def test_a_503_always_says_when_to_come_back_even_when_nobody_knows() -> None:
    response = failing(DatabaseAuthenticationFailed("postgres", "PostgreSQL refuses our credentials")).get(KEY)
    assert int(response.headers["Retry-After"]) >= 1
    assert response.get_json()["error"]["retryable"] is False


def test_waiting_is_not_offered_where_it_does_not_help() -> None:
    response = failing(NotFound("nothing")).get(KEY)
    assert "Retry-After" not in response.headers
    assert response.get_json()["recovery"]["retryAfter"] is None


def test_a_fallback_is_told_in_a_header() -> None:
    response = failing(Unavailable("down", fallback_available=True)).get(KEY)
    assert response.headers["X-Fallback-Available"] == "true"


def test_an_unknown_exception_is_a_500_that_says_nothing_of_the_inside() -> None:
    response = failing(RuntimeError("password=hunter2 at /srv/secret.py")).get(KEY)
    assert response.status_code == 500
    assert response.get_json()["code"] == "INTERNAL_ERROR"
    assert "hunter2" not in response.get_data(as_text=True)
    assert "secret.py" not in response.get_data(as_text=True)


def test_an_unknown_path_is_told_with_path_and_method() -> None:
    response = make_client().delete("/nowhere/at/all")
    problem = response.get_json()
    assert response.status_code == 404
    assert (problem["code"], problem["message"], problem["path"], problem["method"]) == (
        "ENDPOINT_NOT_FOUND",
        "Endpoint not found",
        "/nowhere/at/all",
        "DELETE",
    )


def test_a_wrong_method_is_told_which_are_allowed() -> None:
    response = make_client().delete("/api/v1/flows")
    assert response.status_code == 405
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}
    assert response.get_json()["code"] == "METHOD_NOT_ALLOWED"


def test_a_body_that_is_too_large_is_refused_by_its_length() -> None:
    response = make_client(MAX_BODY_BYTES="2000").post("/api/v1/flows", data=b"x" * 2001, content_type="application/json")
    assert (response.status_code, response.get_json()["code"]) == (413, "BODY_TOO_LARGE")


def test_a_chunked_body_that_is_too_large_is_refused_while_it_is_read() -> None:
    response = make_client(MAX_BODY_BYTES="2000").post(
        "/api/v1/flows",
        input_stream=io.BytesIO(b"x" * 5000),
        content_type="application/json",
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert (response.status_code, response.get_json()["code"]) == (413, "BODY_TOO_LARGE")


def test_a_body_that_is_not_framed_as_http_is_malformed() -> None:
    class BrokenChunk(io.BytesIO):
        def readinto(self, _buffer: object, /) -> int:
            raise RuntimeError("Invalid chunk size")

    response = make_client().post(
        "/api/v1/flows",
        input_stream=BrokenChunk(),
        content_type="application/json",
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert (response.status_code, response.get_json()["detail"]) == (400, "The body is not framed as HTTP says")


def test_another_media_type_is_refused() -> None:
    response = make_client().post("/api/v1/flows", data="<flow/>", content_type="application/xml")
    assert (response.status_code, response.get_json()["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"a": NaN}',
        b'{"a": 1, "a": 2}',
        b'{"a": "\xff"}',
        b'{"a": "\\u0000"}',
        b'{"a": "\\ud800"}',
        b'{"a": 1e999}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b"[" * 500 + b"]" * 500,
    ],
)
def test_malformed_json_is_a_400_that_points_at_the_body(body: bytes) -> None:
    response = make_client().post("/api/v1/flows/greeting/execute", data=body, content_type="application/json")
    problem = response.get_json()
    assert (response.status_code, problem["code"]) == (400, "VALIDATION_ERROR")
    assert problem["error"]["errors"]


def test_every_unknown_field_is_pointed_at() -> None:
    response = make_client().post("/api/v1/flows/greeting/execute", json={"parameters": [], "nope": 1, "triggeredBy": ""})
    assert response.status_code == 400
    assert sorted(pointers(response.get_json())) == ["/nope", "/parameters", "/triggeredBy"]


def test_without_a_token_the_problem_says_how_to_authenticate() -> None:
    response = make_client(**GUARDED).get(KEY)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="api-gateway"'
    assert response.get_json()["error"]["type"] == "AUTHENTICATION_ERROR"


def test_without_the_scope_it_is_a_403() -> None:
    response = make_client(**GUARDED).post("/api/v1/flows", json={}, headers=bearer("reader-token-0123456789"))
    assert (response.status_code, response.get_json()["code"]) == (403, "FORBIDDEN")


def test_a_problem_is_recorded_as_a_fault_of_its_request() -> None:
    container = FakeContainer()
    make_client(container).get(KEY, headers={"X-Request-ID": "r-1"})
    assert [(fault.fault_type, fault.request_id) for fault in container.analytics.faults] == [("NOT_FOUND_ERROR", "r-1")]
    assert container.analytics.recorded[0].fault_type == "NOT_FOUND_ERROR"


def test_the_time_of_a_problem_is_the_containers() -> None:
    container = FakeContainer()
    container.clock.advance(60)
    problem = make_client(container).get(KEY).get_json()
    assert datetime.fromisoformat(problem["timestamp"]) == container.clock.now()


@pytest.mark.parametrize("encoding", ["gzip", "br", "gzip, identity", "nonsense"])
def test_a_compressed_body_is_refused_by_name(encoding: str) -> None:
    response = make_client().post(
        "/api/v1/flows", data=b"\x1f\x8b", headers={"Content-Type": "application/json", "Content-Encoding": encoding}
    )
    problem = response.get_json()
    assert (response.status_code, problem["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert "Content-Encoding" in problem["detail"]


def test_a_body_may_say_that_it_is_not_compressed() -> None:
    response = make_client().post("/api/v1/flows/greeting/execute", json={}, headers={"Content-Encoding": "Identity"})
    assert response.status_code == 202


def test_a_path_says_what_it_allows_without_a_page() -> None:
    client = make_client()
    response = client.options("/api/v1/flows")
    assert (response.status_code, response.data) == (204, b"")
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}
    assert "Content-Type" not in response.headers
    assert client.options("/nowhere").status_code == 404


STRANGE = ["nope", "a b", "it's", 'say "x', "x LINE 1: y", "{'message': 'm'}", "a while processing b", "é"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/{}"),
        ("GET", "/api/v1/flows/{}"),
        ("GET", "/api/v1/flows/{}/executions?limit={}"),
        ("GET", "/api/v1/flows?type={}"),
        ("GET", "/api/v1/executions/{}"),
        ("GET", "/api/v1/recoveries/{}"),
        ("GET", "/api/v1/errors/patterns/{}"),
        ("GET", "/api/v1/topology/service/{}/impact"),
        ("GET", "/api/v1/services/discover/{}"),
        ("GET", "/api/v1/config/{}"),
        ("GET", "/api/v1/flows?{}=%00"),
        ("POST", "/api/v1/breakers/{}/reset"),
        ("POST", "/api/v1/databases/{}/query"),
    ],
)
def test_an_address_makes_no_new_fingerprint(method: str, path: str) -> None:
    client = make_client()
    answers = [client.open(path.replace("{}", quote(words, safe="")), method=method) for words in STRANGE]
    fingerprints: dict[str, set[str]] = {}
    for answer in answers:
        if answer.status_code >= 400:
            problem = answer.get_json()
            fingerprints.setdefault(problem["code"], set()).add(problem["error"]["fingerprint"])
    assert all(len(found) == 1 for found in fingerprints.values())


def test_a_body_and_a_method_make_no_new_fingerprint() -> None:
    client = make_client()
    bodies = [client.post("/api/v1/flows/greeting/execute", json={words: 1}) for words in STRANGE]
    twice = [client.post("/api/v1/flows", data=f'{{"{w}": 1, "{w}": 2}}', content_type="application/json") for w in ("a", "b c", "it's")]
    methods = [client.open("/api/v1/flows", method=name) for name in ("PATCH", "DELETE", "BREW", "X-Y")]
    for status, answers in ((400, bodies), (400, twice), (405, methods)):
        assert {answer.status_code for answer in answers} == {status}
        assert len({answer.get_json()["error"]["fingerprint"] for answer in answers}) == 1


def refusal(*, blamed: bool = True) -> BreakerOpen:
    error = refuse("database:clickhouse", 3.0)
    error.blamed = classify(DatabaseUnreachable("clickhouse", "ClickHouse does not answer", vendor_code="210")) if blamed else None
    return error


def test_a_refused_call_names_what_opened_the_breaker_and_promises_no_recovery_that_nobody_opened() -> None:
    container = FakeContainer()
    container.configuration.error = refusal()
    problem = make_client(container).get(KEY).get_json()
    cause = container.configuration.error.blamed  # type: ignore[union-attr]
    assert problem["error"]["fingerprint"] == cause.fingerprint
    assert (problem["recovery"]["action"], problem["recovery"]["strategy"]) == ("wait", "none")
    assert problem["recovery"].get("recoveryId") is None
    [event] = container.analytics.faults
    assert (event.fingerprint, event.vendor_code, event.target) == (cause.fingerprint, "210", "database:clickhouse")


def test_the_answer_says_what_the_open_recovery_really_does() -> None:
    container = FakeContainer()
    container.recoveries.under_way = Action.RUN_RECOVERY_FLOW
    container.configuration.error = DatabaseUnreachable("clickhouse", "ClickHouse does not answer")
    recovery = make_client(container).get(KEY).get_json()["recovery"]
    assert (recovery["action"], recovery["strategy"], recovery["recoveryId"]) == ("run_recovery_flow", "delayed", "recovery-1")


def test_without_room_to_write_a_recovery_down_none_is_promised() -> None:
    container = FakeContainer()
    container.recoveries.full = True
    container.configuration.error = DatabaseUnreachable("clickhouse", "ClickHouse does not answer")
    recovery = make_client(container).get(KEY).get_json()["recovery"]
    assert (recovery["action"], recovery["strategy"]) == ("wait", "none")
