"""Probes read snapshots and tell the truth."""

import pytest

from tests.fakes.container import FakeContainer, FakeSnapshot
from tests.fakes.edge import make_client


def test_livez_touches_nothing() -> None:
    container = FakeContainer()
    container.poller = None  # type: ignore[assignment]
    response = make_client(container).get("/livez")
    assert (response.status_code, response.get_json()) == (200, {"success": True, "data": {"status": "alive"}})


def test_ready_while_the_critical_database_is_usable() -> None:
    container = FakeContainer()
    container.poller.down = {"clickhouse", "dragonflydb"}
    assert make_client(container).get("/readyz").status_code == 200


@pytest.mark.parametrize("spoil", ["down", "disabled", "draining"])
def test_not_ready_without_the_critical_database_or_while_draining(spoil: str) -> None:
    container = FakeContainer()
    if spoil == "draining":
        container.draining = True
    else:
        setattr(container.poller, spoil, {"postgres"})
    response = make_client(container).get("/readyz")
    assert (response.status_code, response.get_json()["code"]) == (503, "NOT_READY")
    assert "Retry-After" in response.headers


def test_health_shows_everything() -> None:
    container = FakeContainer()
    container.clock.advance(12.34)
    response = make_client(container).get("/health", headers={"X-Request-ID": "probe"})
    data = response.get_json()["data"]
    assert response.status_code == 200
    assert (data["status"], data["uptime"], data["environment"], data["requestId"]) == ("healthy", 12.3, "development", "probe")
    assert set(data["services"]) == {"apiGateway", "databases", "configurationService", "workers", "analytics", "breakers"}
    assert set(data["services"]["databases"]) == {"postgres", "dragonflydb", "clickhouse", "weaviate", "arangodb", "redis"}
    assert data["services"]["configurationService"] == {"status": "healthy", "registered": True}


def test_health_stands_at_the_top_too_where_load_balancers_look() -> None:
    body = make_client().get("/health").get_json()
    assert body["success"] is True
    assert {name: body[name] for name in body["data"]} == body["data"]


@pytest.mark.parametrize("part", ["configuration_health", "worker_health"])
def test_degraded_when_another_part_is_not_healthy(part: str) -> None:
    container = FakeContainer()
    setattr(container, part, FakeSnapshot({"status": "unhealthy"}))
    response = make_client(container).get("/health")
    assert (response.status_code, response.get_json()["data"]["status"]) == (200, "degraded")


def test_degraded_when_a_database_is_down_that_is_not_critical() -> None:
    container = FakeContainer()
    container.poller.down = {"arangodb"}
    response = make_client(container).get("/health")
    assert (response.status_code, response.get_json()["data"]["status"]) == (200, "degraded")


def test_healthy_when_a_database_is_not_configured() -> None:
    container = FakeContainer()
    container.poller.disabled = {"arangodb", "weaviate", "clickhouse", "redis"}
    assert make_client(container).get("/health").get_json()["data"]["status"] == "healthy"


def test_unhealthy_is_a_503_that_still_shows_everything() -> None:
    container = FakeContainer()
    container.poller.down = {"postgres"}
    response = make_client(container).get("/health")
    body = response.get_json()
    assert (response.status_code, body["success"], body["status"]) == (503, False, 503)
    assert body["data"]["status"] == "unhealthy"
    assert body["data"]["services"]["databases"]["postgres"]["error"]["code"] == "DATABASE_CONNECTION_ERROR"


def test_probes_are_never_limited() -> None:
    client = make_client(RATE_LIMIT_REQUESTS="1")
    for path in ("/livez", "/readyz", "/health"):
        responses = [client.get(path) for _ in range(3)]
        assert {response.status_code for response in responses} == {200}
        assert "RateLimit" not in responses[0].headers
