"""Whatever comes in: a 4xx in the platform's error envelope, never a 500, and nothing stored."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

JSON_HEADERS = {"Content-Type": "application/json"}
UUID = "00000000-0000-0000-0000-000000000000"
WRITES = [
    ("POST", "/api/v1/config"),
    ("POST", "/api/v1/config/k/rollback"),
    ("PUT", "/api/v1/tenants/t1/config"),
    ("POST", "/api/v1/services/register"),
    ("POST", "/api/v1/flows"),
    ("PUT", "/api/v1/flows/known"),
    ("POST", "/api/v1/flows/known/execute"),
    ("POST", "/api/v1/flows/known/dependencies"),
    ("PUT", f"/api/v1/executions/{UUID}/status"),
]
BROKEN = {
    "cut": b'{"key": "k", "value": ',
    "no object": b"[1, 2]",
    "not UTF-8": b'{"key": "\xff\xfe"}',
    "not a number": b'{"key": NaN}',
    "infinite": b'{"key": 1e999}',
    "thousands of digits": b'{"key": ' + b"9" * 5000 + b"}",
    "deep": b'{"key": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep but readable": b'{"key": ' + b"[" * 200 + b"]" * 200 + b"}",
    "NUL in a value": b'{"key": "a\\u0000b"}',
    "NUL in a name": b'{"a\\u0000b": 1}',
    "half a surrogate": b'{"key": "\\ud800"}',
    "two values": b"{} {}",
    "a comment": b'{"key": 1} // no',
}


@pytest.fixture
def known_client(config_client: FlaskClient, make_flow: Callable[..., dict[str, Any]]) -> FlaskClient:
    """A client of a service that knows one flow."""
    assert config_client.post("/api/v1/flows", json=make_flow("known")).status_code == 201
    return config_client


def assert_refused(response: TestResponse, *statuses: int) -> None:
    assert response.status_code in (statuses or (400,)), (response.status_code, response.text[:300])
    assert response.json is not None
    assert set(response.json) == {"error", "message", "details"}
    assert all(set(each) == {"message", "path", "type"} for each in response.json["details"])
    assert len(response.text) < 40_000


def test_broken_json_is_refused_everywhere(known_client: FlaskClient) -> None:
    for method, path in WRITES:
        for name, body in BROKEN.items():
            response = known_client.open(path, method=method, data=body, headers=JSON_HEADERS)
            assert_refused(response)
            assert response.json["details"], (path, name)


def test_an_empty_body_is_refused_where_one_is_needed(known_client: FlaskClient) -> None:
    for method, path in WRITES:
        if not path.endswith("/execute"):
            assert_refused(known_client.open(path, method=method))


def test_another_content_type_is_refused(known_client: FlaskClient) -> None:
    for method, path in WRITES:
        assert_refused(known_client.open(path, method=method, data="{}", headers={"Content-Type": "text/plain"}), 415)


def test_a_large_body_is_refused(make_config_service: Callable[..., Flask]) -> None:
    client = make_config_service(MAX_BODY_BYTES="2000").test_client()
    assert_refused(client.post("/api/v1/config", json={"key": "k", "value": "x" * 2000}), 413)
    assert_refused(client.get("/api/v1/config?key=k"), 404)


def test_ten_thousand_nodes_are_refused(config_client: FlaskClient, make_flow: Callable[..., dict[str, Any]]) -> None:
    nodes = [{"id": f"n{number}", "name": "n", "type": "transform", "config": {}} for number in range(10_000)]
    assert_refused(config_client.post("/api/v1/flows", json=make_flow(nodes=nodes, edges=[])))


def test_paths_and_queries_that_no_row_can_match(known_client: FlaskClient) -> None:
    for path in (
        "/api/v1/flows/a%00b",
        "/api/config/a%00b",
        "/api/v1/config?key=a%00b",
        "/api/v1/services/discover/%00",
        "/api/v1/flows?tags=%00",
    ):
        assert_refused(known_client.get(path))
    for path in (
        "/api/v1/flows/%FF%FE",
        "/api/v1/flows/" + "x" * 3000,
        "/api/v1/services/discover/%E4%B8%AD",
        "/nowhere",
        "/api/v1/config/k/history",
    ):
        assert_refused(known_client.get(path), 404)
    wrong = ["/api/v1/config", "/api/v1/config?key=" + "k" * 256, "/api/v1/config?key=%20k", "/api/v1/config?key=k&tenantId=" + "t" * 101]
    wrong += ["/api/v1/config/watch?since=-1", "/api/v1/config/watch?since=1e3", "/api/v1/config/watch?since=" + "9" * 30]
    wrong += ["/api/v1/config/watch?wait=nan", "/api/v1/config/watch?wait=-1", "/api/v1/config/k/history?limit=0"]
    wrong += ["/api/v1/flows/known/executions?offset=99999999999999", "/api/v1/flows/known/executions?status=x"]
    for path in wrong:
        response = known_client.get(path)
        assert_refused(response)
        assert response.json["details"][0]["path"], path


def test_wrong_methods_say_which_are_right(known_client: FlaskClient) -> None:
    response = known_client.delete("/api/v1/flows")
    assert_refused(response, 405)
    assert "POST" in response.headers["Allow"]


def test_unknown_fields_are_named(known_client: FlaskClient) -> None:
    bodies: dict[tuple[str, str], dict[str, Any]] = {
        ("POST", "/api/v1/config"): {"key": "k", "value": 1},
        ("POST", "/api/v1/config/k/rollback"): {"version": 1},
        ("POST", "/api/v1/flows/known/execute"): {},
        ("POST", "/api/v1/flows/known/dependencies"): {"dependsOnFlowId": "x"},
        ("PUT", f"/api/v1/executions/{UUID}/status"): {"status": "running"},
    }
    for (method, path), body in bodies.items():
        response = known_client.open(path, method=method, json={**body, "surprise": 1})
        assert_refused(response)
        assert response.json["details"] == [{"message": "is not a known field", "path": ["surprise"], "type": "object.unknown"}]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=12,
)
VALID: dict[str, dict[str, Any]] = {
    "POST /api/v1/config": {"key": "k", "value": 1, "type": "number", "environment": "e", "tenantId": "t", "userId": "u"}
    | {"description": "d", "tags": ["a"], "isSecret": False},
    "POST /api/v1/config/k/rollback": {"version": 1, "environment": "e", "tenantId": "t", "userId": "u"},
    "PUT /api/v1/tenants/t1/config": {"a": 1},
    "POST /api/v1/services/register": {"name": "s", "version": "1", "host": "h", "port": 1, "protocol": "http", "healthEndpoint": "/h"}
    | {"capabilities": ["c"], "metadata": {}, "ttlSeconds": 5},
    "PUT /api/v1/flows/known": {
        "name": "n",
        "type": "custom",
        "version": "1.0.0",
        "createdBy": "me",
        "description": "d",
        "status": "active",
    }
    | {"nodes": [{"id": "a", "name": "a", "type": "transform", "config": {"output": 1}}], "edges": [], "tags": ["t"], "metadata": {}}
    | {
        "parameters": [],
        "credentials": [],
        "triggers": [],
        "schedule": "* * * * *",
        "retryPolicy": {},
        "dependencies": [],
        "environment": {},
    },
    "POST /api/v1/flows/known/execute": {"parameters": {}, "environment": "e", "triggeredBy": "me", "executionContext": {}},
    "POST /api/v1/flows/known/dependencies": {"dependsOnFlowId": "x", "dependencyType": "parallel", "condition": "c", "timeout": 1},
    f"PUT /api/v1/executions/{UUID}/status": {"status": "running", "result": 1, "errorMessage": "e"},
}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_value_in_any_field_makes_a_500(known_client: FlaskClient, data: st.DataObject) -> None:
    route = data.draw(st.sampled_from(sorted(VALID)))
    field = data.draw(st.sampled_from(sorted(VALID[route])) | st.text(max_size=5))
    method, path = route.split(" ")
    body = {**VALID[route], field: data.draw(JSON_VALUES)}
    response = known_client.open(path, method=method, data=json.dumps(body), headers=JSON_HEADERS)
    assert response.status_code < 500, response.text
