"""The resources that are read: databases, services, analytics, topology, the front page, metrics."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.api.root import ENDPOINTS
from gateway.databases.errors import DatabaseDisabled, DatabaseNotFound
from gateway.errors import GatewayError
from tests.fakes.container import FakeContainer, settings
from tests.fakes.edge import GUARDED, bearer, make_client, pointers


class FakeQueries:
    """Answers two rows, or raises `error`."""

    def __init__(self, error: GatewayError | None = None) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self._error = error

    def run(self, name: str, statement: str, parameters: dict[str, Any], *limits: int) -> Any:
        self.asked.append((name, statement, parameters, limits))
        if self._error:
            raise self._error
        return SimpleNamespace(columns=("n",), rows=((1,), (2,)), row_count=2, truncated=False, elapsed_ms=1.5, served_by="postgres")


def test_the_status_of_all_six() -> None:
    container = FakeContainer()
    container.poller.down, container.poller.disabled = {"redis"}, {"weaviate"}
    data = make_client(container).get("/api/v1/status/databases").get_json()["data"]
    assert data["connections"] == {
        "postgres": True,
        "dragonflydb": True,
        "clickhouse": True,
        "weaviate": False,
        "arangodb": True,
        "redis": False,
    }
    assert set(data["health"]["redis"]) >= {
        *("status", "latencyMs", "lastOkAt", "error", "servedBy", "breaker", "pool", "version", "timestamp"),
    }
    assert "vendorCode" not in str(data)


def test_a_read_is_given_on_and_rendered() -> None:
    container = FakeContainer(queries=FakeQueries())
    body = {"statement": "SELECT :n", "parameters": {"n": 1}, "timeoutMs": 250, "maxRows": 10}
    response = make_client(container).post("/api/v1/databases/postgres/query", json=body)
    assert response.get_json()["data"] == {
        "columns": ["n"],
        "rows": [[1], [2]],
        "rowCount": 2,
        "truncated": False,
        "elapsedMs": 1.5,
        "servedBy": "postgres",
    }
    assert container.queries.asked == [("postgres", "SELECT :n", {"n": 1}, (250, 10))]


@pytest.mark.parametrize(
    ("error", "status"),
    [(DatabaseNotFound("There are six"), 404), (DatabaseDisabled("ClickHouse is not configured; set CLICKHOUSE_HOST"), 409)],
)
def test_a_database_that_cannot_be_read(error: GatewayError, status: int) -> None:
    response = make_client(FakeContainer(queries=FakeQueries(error))).post("/api/v1/databases/x/query", json={"statement": "SELECT 1"})
    assert response.status_code == status


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/statement"),
        ({"statement": ""}, "/statement"),
        ({"statement": "x" * 2_000_000}, "/statement"),
        ({"statement": "x", "maxRows": 0}, "/maxRows"),
        ({"statement": "x", "timeoutMs": "1"}, "/timeoutMs"),
    ],
)
def test_a_read_that_is_none_is_pointed_at(body: dict[str, Any], pointer: str) -> None:
    response = make_client().post("/api/v1/databases/postgres/query", json=body)
    assert (response.status_code, pointers(response.get_json())) == (400, [pointer])


@pytest.mark.parametrize(("path", "plain"), [("analytics/requests?since=x", "moment"), ("flows?includeArchived=x", "true or false")])
def test_what_is_wrong_with_a_parameter_is_said_plainly(path: str, plain: str) -> None:
    [error] = make_client().get(f"/api/v1/{path}").get_json()["error"]["errors"]
    assert plain in error["detail"]
    assert "Input" not in error["detail"]


def test_services_and_one_of_them() -> None:
    client = make_client()
    assert [service["name"] for service in client.get("/api/v1/services").get_json()["data"]] == ["orders"]
    data = client.get("/api/v1/services/discover/orders").get_json()["data"]
    assert (data["host"], data["port"], data["status"], len(data["instances"])) == ("10.0.0.1", 8080, "healthy", 1)


def test_a_service_that_nobody_registered() -> None:
    response = make_client().get("/api/v1/services/discover/nobody")
    assert (response.status_code, response.get_json()["error"]["type"]) == (404, "SERVICE_DISCOVERY_ERROR")


def test_analytics_asks_for_the_last_hour_by_default() -> None:
    container = FakeContainer()
    data = make_client(container).get("/api/v1/analytics/requests").get_json()["data"]
    query = container.analytics.asked[0]
    assert (query.until - query.since).total_seconds() == 3600
    assert (data["servedBy"], data["rows"][0]["p99Ms"], data["total"]) == ("postgres", 3.0, 3)


def test_analytics_reads_every_parameter() -> None:
    container = FakeContainer()
    query = "since=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00%2B01:00&bucket=5m&groupBy=route,faultType&status=404&tenant=t&route=/x"
    data = make_client(container).get(f"/api/v1/analytics/errors?{query}").get_json()["data"]
    asked = container.analytics.asked[0]
    assert (asked.until, asked.bucket_seconds) == (datetime(2026, 1, 1, 23, tzinfo=UTC), 300)
    assert (asked.status, asked.tenant, asked.route) == (404, "t", "/x")
    assert set(data["rows"][0]["key"]) == {"route", "faultType"}
    assert data["faults"][0]["faultType"] == "TIMEOUT_ERROR"


@pytest.mark.parametrize(
    ("query", "pointer"), [("since=yesterday", "?since"), ("bucket=0", "?bucket"), ("groupBy=x", "?groupBy"), ("status=9", "?status")]
)
def test_a_bad_question_is_pointed_at(query: str, pointer: str) -> None:
    response = make_client().get(f"/api/v1/analytics/requests?{query}")
    assert (response.status_code, pointers(response.get_json())) == (400, [pointer])


def test_the_topology_and_what_breaks() -> None:
    client = make_client()
    assert client.get("/api/v1/topology").get_json()["data"]["edges"][0]["relation"] == "calls"
    impact = client.get("/api/v1/topology/service/orders/impact?depth=3").get_json()["data"]
    affected = impact["affected"][0]
    assert (impact["depth"], affected["name"], len(affected["path"]), affected["degraded"]) == (3, "greeting", 2, False)


@pytest.mark.parametrize("path", ["service/nobody", "planet/orders"])
def test_what_nobody_knows_breaks_nothing(path: str) -> None:
    assert make_client().get(f"/api/v1/topology/{path}/impact").get_json()["code"] == "TOPOLOGY_NODE_NOT_FOUND"


def test_the_depth_is_bounded() -> None:
    assert make_client().get("/api/v1/topology/service/orders/impact?depth=99").status_code == 400


def test_the_front_page_stands_at_the_top() -> None:
    body = make_client().get("/api").get_json()
    assert (body["success"], body["message"]) == (True, "Enhanced API Gateway")
    assert "Rate limiting" in body["features"]
    assert body["endpoints"] == ENDPOINTS


def test_metrics_tell_requests_by_route_and_databases_by_status() -> None:
    container = FakeContainer()
    container.poller.down = {"redis"}
    container.recovery.run("database:postgres", lambda _: None, timeout_seconds=1, repeatable=True)
    client = make_client(container)
    client.get("/api/v1/flows/a")
    client.open("/api/v1/flows/b", method="SPY")
    text = client.get("/metrics").get_data(as_text=True)
    assert 'gateway_requests_total{method="GET",route="/api/v1/flows/<flow_id>",status="404"} 1.0' in text
    assert 'method="other"' in text
    assert 'gateway_database_status{database="redis",status="unhealthy"} 1.0' in text
    assert 'gateway_breaker_state{state="closed",target="database:postgres"} 1.0' in text
    assert 'gateway_retry_budget{target="database:postgres"}' in text
    assert "gateway_requests_in_progress 1.0" in text


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("127.0.0.1", {"X-Forwarded-For": "9.9.9.9"}, 401),
        ("9.9.9.9", {}, 401),
        ("9.9.9.9", bearer("reader-token-0123456789"), 403),
        ("9.9.9.9", bearer(), 200),
    ],
)
def test_metrics_are_for_loopback_and_for_the_scope(peer: str, headers: dict[str, str], status: int) -> None:
    container = FakeContainer(settings=settings(**GUARDED))
    response = make_client(container).get("/metrics", headers=headers, environ_overrides={"REMOTE_ADDR": peer})
    assert response.status_code == status
