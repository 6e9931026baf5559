"""A database that accepts and never answers: its breakers open in every process, then it costs nobody anything; it comes back by itself."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from flask.testing import FlaskClient

from config.settings import Settings
from gateway.app import create_app
from gateway.container import Container, build_container

THREADS = 8
NOBODY = "http://127.0.0.1:9"
QUERY = {"statement": "SELECT 1", "timeoutMs": 2000}


@contextmanager
def hung_server() -> Iterator[int]:
    """Its port. Connections are accepted by the system's backlog and never answered."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def gateways(postgres_url: str, redis_url: str) -> Iterator[list[Container]]:
    """Two processes' worth of gateway, with a hung ClickHouse among their databases."""
    with ExitStack() as stack:
        port = stack.enter_context(hung_server())
        environment = {
            "DATABASE_URL": postgres_url,
            "DRAGONFLY_URL": redis_url,
            "CLICKHOUSE_HOST": "127.0.0.1",
            "CLICKHOUSE_NATIVE_PORT": str(port),
            "FLOW_REGISTRY_URL": NOBODY,
            "RATE_LIMIT_REQUESTS": "1000000",
        }
        containers = [build_container(Settings.from_environment(environment)) for _ in range(2)]
        for container in containers:
            stack.callback(container.stop)
            if container.breaker_sharing:
                container.breaker_sharing.start()
        yield containers


def ask(client: FlaskClient, name: str = "clickhouse") -> tuple[int, str | None, str | None]:
    """Status, problem code, Retry-After of one read."""
    response = client.post(f"/api/v1/databases/{name}/query", json=QUERY)
    return response.status_code, response.get_json().get("code"), response.headers.get("Retry-After")


def until(fact: Callable[[], bool]) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + 30
    while not fact():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


def answers_at_once(client: FlaskClient) -> bool:
    """Whether nobody asked the database for this answer."""
    status, code, wait = ask(client)
    return (status, code) == (503, "BREAKER_OPEN") and wait is not None and 1 <= int(wait) <= 4


def is_shut(container: Container) -> bool:
    return container.breakers.of("database:clickhouse").remaining_open_seconds() > 0


def test_it_is_given_up_by_all_and_the_others_do_not_notice(gateways: list[Container]) -> None:
    clients = [create_app(container=container).test_client() for container in gateways]
    users = [threading.Thread(target=ask, args=(create_app(container=gateways[0]).test_client(),)) for _ in range(THREADS)]
    gateways[0].poller.start()
    for user in users:
        user.start()
    for client in clients:  # an answer may be a probe's now and then; the others do without the database
        until(lambda client=client: answers_at_once(client))  # type: ignore[misc]
    for user in users:
        user.join()
    assert [ask(client, "postgres")[0] for client in clients] == [200, 200]


def test_it_is_noticed_without_traffic(gateways: list[Container]) -> None:
    gateways[0].poller.start()
    until(lambda: is_shut(gateways[1]))


def test_a_problem_names_the_breaker_and_its_time(gateways: list[Container]) -> None:
    gateways[0].breakers.of("database:clickhouse").force_open()
    response = create_app(container=gateways[0]).test_client().post("/api/v1/databases/clickhouse/query", json=QUERY)
    problem = response.get_json()
    assert (response.status_code, problem["code"], problem["error"]["type"]) == (503, "BREAKER_OPEN", "DATABASE_CONNECTION_ERROR")
    assert problem["recovery"]["retryAfter"] == 4000
    assert response.headers["Retry-After"] == "4"
