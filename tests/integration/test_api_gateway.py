"""The whole gateway over a real PostgreSQL and redis-server, with no Configuration Service and no worker: what it does all the same."""

import time
from collections.abc import Callable, Iterator

import pytest
from flask.testing import FlaskClient

from config.settings import Settings
from gateway.app import create_app
from gateway.container import Container, build_container

NOBODY = "http://127.0.0.1:9"  # the discard port: connections are refused
FLOW = {
    "id": "double",
    "name": "Double",
    "type": "custom",
    "version": "1.0.0",
    "createdBy": "tests",
    "parameters": [{"name": "number", "type": "number", "required": True}],
    "nodes": [{"id": "double", "name": "Double", "type": "transform", "config": {"output": "${parameters.number * 2}"}}],
    "edges": [],
}


@pytest.fixture
def running_container(postgres_url: str, redis_url: str) -> Iterator[Container]:
    """A container as gunicorn starts it, ready to serve."""
    environment = {"DATABASE_URL": postgres_url, "DRAGONFLY_URL": redis_url, "FLOW_REGISTRY_URL": NOBODY, "POLL_INTERVAL_SECONDS": "0.2"}
    container = build_container(Settings.from_environment(environment))
    container.start()
    yield container
    container.stop()


@pytest.fixture
def gateway_client(running_container: Container) -> FlaskClient:
    client = create_app(container=running_container).test_client()
    until(lambda: client.get("/readyz").status_code == 200)
    return client


def until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Ask until it holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def start(client: FlaskClient, number: object, **headers: str) -> tuple[int, dict[str, object]]:
    response = client.post("/api/v1/flows/double/execute", json={"parameters": {"number": number}}, headers=headers)
    return response.status_code, response.get_json()


def test_a_flow_is_accepted_and_started_while_the_registry_is_down(gateway_client: FlaskClient) -> None:
    registered = gateway_client.post("/api/v1/flows", json=FLOW)
    assert (registered.status_code, registered.get_json()["data"]["pending"]) == (202, True)
    assert gateway_client.get("/api/v1/flows/double").get_json()["state"] == "pending"
    assert gateway_client.post("/api/v1/flows", json=FLOW).status_code == 409
    status, body = start(gateway_client, 4, Prefer="wait=1")
    assert (status, body["data"]["status"]) == (202, "running")  # type: ignore[index]
    shown = gateway_client.get(f"/api/v1/executions/{body['data']['executionId']}")  # type: ignore[index]
    assert [node["status"] for node in shown.get_json()["data"]["nodes"]] == ["ready"]
    assert gateway_client.get("/api/v1/flows/double/executions").get_json()["pagination"]["totalCount"] == 1


def test_an_idempotency_key_starts_once(gateway_client: FlaskClient) -> None:
    gateway_client.post("/api/v1/flows", json=FLOW)
    (_, first), (_, again) = (start(gateway_client, 4, **{"Idempotency-Key": "k1"}) for _ in range(2))
    assert first["data"]["executionId"] == again["data"]["executionId"]  # type: ignore[index]
    status, other = start(gateway_client, 5, **{"Idempotency-Key": "k1"})
    assert (status, other["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


def test_a_parameter_of_the_wrong_type_starts_nothing(gateway_client: FlaskClient) -> None:
    gateway_client.post("/api/v1/flows", json=FLOW)
    status, problem = start(gateway_client, "four")
    assert status == 400
    assert [error["pointer"] for error in problem["error"]["errors"]] == ["/parameters/number"]  # type: ignore[index]
    assert gateway_client.get("/api/v1/flows/double/executions").get_json()["data"] == []


def test_what_needs_the_configuration_service_says_when_to_come_back(gateway_client: FlaskClient) -> None:
    response = gateway_client.get("/api/v1/config/some.key")
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) >= 1
    health = gateway_client.get("/health")
    assert (health.status_code, health.get_json()["data"]["status"]) == (200, "degraded")


def test_one_read_through_the_single_interface(gateway_client: FlaskClient) -> None:
    body = {"statement": "SELECT CAST(:n AS int) AS n", "parameters": {"n": 7}}
    assert gateway_client.post("/api/v1/databases/postgres/query", json=body).get_json()["data"]["rows"] == [[7]]
    written = gateway_client.post("/api/v1/databases/postgres/query", json={"statement": "DELETE FROM executions"})
    assert (written.status_code, written.get_json()["code"]) == (400, "STATEMENT_REFUSED")
    assert gateway_client.post("/api/v1/databases/weaviate/query", json={"statement": "{}"}).status_code == 409


def test_requests_are_counted(running_container: Container, gateway_client: FlaskClient) -> None:
    for _ in range(3):
        gateway_client.get("/nowhere")
    running_container.analytics.flush()
    rows = gateway_client.get("/api/v1/analytics/requests?groupBy=route,status&route=unmatched").get_json()["data"]["rows"]
    assert [(row["key"], row["count"]) for row in rows] == [({"route": "unmatched", "status": 404}, 3)]


def test_draining_is_told_to_load_balancers_only(running_container: Container, gateway_client: FlaskClient) -> None:
    running_container.begin_drain(leaving=False)
    assert gateway_client.get("/readyz").status_code == 200, "a worker that is replaced stays ready: its successors serve the same address"
    running_container.begin_drain(leaving=True)
    assert [gateway_client.get(path).status_code for path in ("/readyz", "/livez", "/api")] == [503, 200, 200]


@pytest.mark.parametrize(("path", "status"), [("topology", 200), ("flows", 200), ("status/databases", 200), ("services", 503)])
def test_what_is_known_is_read_from_the_first_start(gateway_client: FlaskClient, path: str, status: int) -> None:
    assert gateway_client.get(f"/api/v1/{path}").status_code == status
