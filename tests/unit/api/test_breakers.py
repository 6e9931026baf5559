"""Breakers at the edge: what an operator sees and does, and what a client is told."""

import pytest
from structlog.testing import capture_logs

from gateway.databases.errors import DatabaseUnreachable
from gateway.recovery.breaker import Breaker
from tests.fakes.container import FakeContainer
from tests.fakes.edge import make_client

TARGET = "database:postgres"


class Broken:
    """A ClickHouse that is gone, and asks for more time than its breaker gives it."""

    def run(self, *_: object) -> None:
        raise DatabaseUnreachable("clickhouse", "ClickHouse cannot be reached", retry_after_seconds=30)


def open_it(breaker: Breaker) -> None:
    for _ in range(5):
        breaker.record(breaker.permit(), success=False, duration_seconds=0.1)


def test_every_breaker_is_listed() -> None:
    container = FakeContainer()
    open_it(container.breakers.of("service:prices"))
    postgres, prices = make_client(container).get("/api/v1/breakers").get_json()["data"]
    assert (postgres["name"], postgres["state"], postgres["remainingOpenSeconds"]) == (TARGET, "closed", 0)
    assert (prices["name"], prices["state"], prices["openedTimes"]) == ("service:prices", "open", 1)
    assert 0.5 < prices["remainingOpenSeconds"] <= 1.0


@pytest.mark.parametrize(("action", "state"), [("force-open", "forced_open"), ("disable", "disabled"), ("reset", "closed")])
def test_an_operator_changes_a_breaker_and_is_named_in_the_log(action: str, state: str) -> None:
    container = FakeContainer()
    open_it(container.breakers.of(TARGET))
    with capture_logs() as logs:
        response = make_client(container).post(f"/api/v1/breakers/{TARGET}/{action}")
    assert response.status_code == 200
    assert response.get_json()["data"]["state"] == state == container.breakers.of(TARGET).state()
    (said,) = [line for line in logs if line["event"] == "breaker_changed_by_operator"]
    assert (said["target"], said["action"], said["caller"], said["old"], said["new"]) == (TARGET, action, "anonymous", "open", state)


def test_a_registered_service_can_be_shut_off_before_its_first_call() -> None:
    container = FakeContainer()
    service = container.topology.service.name
    assert make_client(container).post(f"/api/v1/breakers/service:{service}/force-open").status_code == 200
    assert container.breakers.of(f"service:{service}").state() == "forced_open"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("database:oracle/reset", "BREAKER_NOT_FOUND"),
        ("service:nobody/reset", "BREAKER_NOT_FOUND"),
        ("postgres/reset", "BREAKER_NOT_FOUND"),
        ("database:postgres/explode", "BREAKER_ACTION_NOT_FOUND"),
    ],
)
def test_what_does_not_exist_is_not_found(path: str, code: str) -> None:
    response = make_client().post(f"/api/v1/breakers/{path}")
    assert (response.status_code, response.get_json()["code"]) == (404, code)


def test_health_tells_the_breakers() -> None:
    container = FakeContainer()
    open_it(container.breakers.of("service:prices"))
    told = make_client(container).get("/health").get_json()["services"]["breakers"]
    assert told == {"shared": None, "states": {TARGET: "closed", "service:prices": "open"}}


def test_a_client_is_told_the_breakers_remaining_time() -> None:
    container = FakeContainer()
    open_it(container.breakers.of("database:clickhouse"))
    container.queries = Broken()
    response = make_client(container).post("/api/v1/databases/clickhouse/query", json={"statement": "SELECT 1"})
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"
    assert 500 < response.get_json()["recovery"]["retryAfter"] <= 1000
