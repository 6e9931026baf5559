"""Two processes' worth of the gateway over a real PostgreSQL and a real redis-server: answers given again, and what faults do to them."""

import re
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import pytest
import redis
from flask.testing import FlaskClient

from config.settings import Settings
from gateway.app import create_app
from gateway.container import build_container
from gateway.security import limiter_store
from tests.doubles.platform_configuration_service import PlatformConfigurationService
from tests.fakes.watched_caches import watch_failures
from tests.servers.fault_proxy import FaultProxy

PATH = "/api/v1/analytics/requests?groupBy=route"
TOPOLOGY = "/api/v1/topology"
PATIENT_SECONDS = "2"
LONG_FRESH_SECONDS, SOON_OVER_SECONDS = "100", "0.5"  # no test takes as long as the one; some wait for the end of the other


@pytest.fixture(autouse=True)
def patient_rate_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no slow server: a rate limit that thinks so has the cache doubted too."""
    connect = limiter_store._server
    monkeypatch.setattr(limiter_store, "_server", lambda url, _seconds: connect(url, float(PATIENT_SECONDS)))


@contextmanager
def gateway(**environment: str) -> Iterator[FlaskClient]:
    container = build_container(Settings.from_environment({"RATE_LIMIT_REQUESTS": "100000", **environment}))
    yield create_app(container=container).test_client()
    container.stop()


@pytest.fixture
def platform() -> Iterator[PlatformConfigurationService]:
    with PlatformConfigurationService(config={"k": "v"}) as service:
        yield service


@pytest.fixture
def servers(redis_url: str, postgres_url: str) -> Iterator[tuple[FaultProxy, FaultProxy]]:
    """What stands before the redis-server and before PostgreSQL."""
    cache, truth = urlsplit(redis_url), urlsplit(postgres_url)
    with FaultProxy(str(cache.hostname), int(cache.port or 0)) as one, FaultProxy(str(truth.hostname), int(truth.port or 0)) as other:
        yield one, other


@pytest.fixture
def clients(
    servers: tuple[FaultProxy, FaultProxy],
    platform: PlatformConfigurationService,
    redis_url: str,
    postgres_url: str,
    request: pytest.FixtureRequest,
) -> Iterator[tuple[FlaskClient, FlaskClient]]:
    truth = urlsplit(postgres_url)
    environment = {
        "DRAGONFLY_URL": f"redis://:{urlsplit(redis_url).password}@127.0.0.1:{servers[0].port}/0",
        "DATABASE_URL": truth._replace(netloc=f"{truth.netloc.rpartition('@')[0]}@127.0.0.1:{servers[1].port}").geturl(),
        "FLOW_REGISTRY_URL": platform.url,
        "CACHE_TIMEOUT_SECONDS": PATIENT_SECONDS,
        "RESPONSE_FRESH_SECONDS": getattr(request, "param", LONG_FRESH_SECONDS),
    }
    with gateway(**environment) as one, gateway(**environment) as other:
        yield one, other


Clients = tuple[FlaskClient, FlaskClient]
Servers = tuple[FaultProxy, FaultProxy]


def status(client: FlaskClient, path: str) -> str:
    """Its Cache-Status, without the name and without what is left of its time."""
    response = client.get(path)
    assert response.status_code == 200
    return "; ".join(part for part in response.headers["Cache-Status"].split("; ")[1:] if not part.startswith("ttl"))


def until_status(client: FlaskClient, path: str, wanted: str) -> None:
    deadline = time.monotonic() + 30
    while status(client, path) != wanted:
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


@pytest.mark.parametrize("path", [PATH, TOPOLOGY])
def test_an_answer_of_one_process_is_given_by_the_other(clients: Clients, path: str) -> None:
    first, second = (client.get(path) for client in clients)
    assert first.headers["Cache-Status"] == "api-gateway; fwd=miss; stored"
    assert re.fullmatch(r"api-gateway; hit; ttl=\d+; detail=dragonflydb", second.headers["Cache-Status"])
    assert second.get_data() == first.get_data()
    assert second.headers["ETag"] == first.headers["ETag"]


@pytest.mark.parametrize("clients", [SOON_OVER_SECONDS], indirect=True)
@pytest.mark.parametrize("path", [PATH, TOPOLOGY])
def test_an_answer_is_asked_anew_after_its_time(clients: Clients, path: str) -> None:
    status(clients[0], path)
    until_status(clients[1], path, "fwd=miss; stored")


def test_a_configuration_value_that_one_process_was_told_is_a_hit_for_the_other(clients: Clients) -> None:
    assert [status(client, "/api/v1/config/k") for client in clients] == ["fwd=miss; stored", "hit; detail=shared-cache"]
    assert status(clients[1], "/api/v1/config/k") == "hit; detail=memory"


def test_a_hung_cache_is_found_out_once_and_is_used_again_on_return(
    clients: Clients, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    status(clients[0], PATH)
    failed = watch_failures(monkeypatch)
    servers[0].mode = "hang"
    for number in range(60):
        status(clients[0], f"{PATH}&status={200 + number}")
    assert failed == [], "the rate limit finds out for both, and nobody else waits"
    servers[0].drop_all()
    servers[0].mode = "pass"
    until_status(clients[0], PATH, "hit; detail=dragonflydb")


@pytest.mark.parametrize("clients", [SOON_OVER_SECONDS], indirect=True)
def test_while_postgresql_is_down_the_answer_of_before_is_given_and_says_so(clients: Clients, servers: Servers) -> None:
    status(clients[0], TOPOLOGY)
    servers[1].refuse()
    deadline = time.monotonic() + 30
    while "X-Fallback-Available" not in (response := clients[1].get(TOPOLOGY)).headers:
        assert time.monotonic() < deadline, "it stays fresh"
        time.sleep(0.02)
    assert response.status_code == 200
    assert re.fullmatch(r"api-gateway; hit; ttl=-\d+; detail=dragonflydb", response.headers["Cache-Status"])
    assert clients[1].get(PATH).status_code == 503, "an answer that was never given cannot be given again"


@pytest.mark.parametrize("clients", [SOON_OVER_SECONDS], indirect=True)
def test_nothing_stands_in_the_server_for_longer_than_its_time(clients: Clients, redis_url: str) -> None:
    status(clients[0], PATH)
    with closing(redis.Redis.from_url(redis_url)) as client:
        (key,) = client.keys("cache:gateway:response:*")
        assert 0 < client.pttl(key) <= 30_500
