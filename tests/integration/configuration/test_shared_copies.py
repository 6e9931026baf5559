"""Two processes' worth of the gateway over one real redis-server: sharing, and what its death, hanging and return cost."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

from config.settings import Settings
from embedded.redis import EmbeddedRedis
from gateway.configuration.errors import ConfigNotFound
from gateway.configuration.model import Source
from gateway.container import Container, build_container
from tests.doubles.platform_configuration_service import PlatformConfigurationService
from tests.fakes.watched_caches import watch_failures
from tests.servers.fault_proxy import FaultProxy

RETURN_SECONDS = 30.0  # of a busy machine; it takes less than 5
LONG_FRESH_SECONDS, SOON_OVER_SECONDS = "100", "0.5"  # no test takes as long as the one; some wait for the end of the other


@pytest.fixture
def platform() -> Iterator[PlatformConfigurationService]:
    config = {f"k{number}": number for number in range(300)}
    with PlatformConfigurationService(config={**config, "db.password": "hush"}) as service:
        yield service


@pytest.fixture
def cache_proxy(redis_url: str) -> Iterator[FaultProxy]:
    """Stands between both containers and the redis-server."""
    parts = urlsplit(redis_url)
    with FaultProxy(str(parts.hostname), int(parts.port or 0)) as proxy:
        yield proxy


@dataclass
class Pair:
    """Two containers, as two processes have them."""

    one: Container
    other: Container


@contextmanager
def running(registry: str, dragonfly: str, fresh_seconds: str = LONG_FRESH_SECONDS) -> Iterator[Container]:
    slow = {"CONFIG_FRESH_SECONDS": fresh_seconds, "CACHE_TIMEOUT_SECONDS": "2"}  # a busy machine is no slow cache
    environment = {"FLOW_REGISTRY_URL": registry, "DRAGONFLY_URL": dragonfly, **slow}
    container = build_container(Settings.from_environment(environment))
    yield container
    container.stop()


@pytest.fixture
def pair(platform: PlatformConfigurationService, redis_url: str, cache_proxy: FaultProxy, request: pytest.FixtureRequest) -> Iterator[Pair]:
    url, fresh_seconds = (
        f"redis://:{urlsplit(redis_url).password}@127.0.0.1:{cache_proxy.port}/0",
        getattr(request, "param", LONG_FRESH_SECONDS),
    )
    with running(platform.url, url, fresh_seconds) as one, running(platform.url, url, fresh_seconds) as other:
        yield Pair(one, other)


def until(fact: Callable[[], bool]) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + RETURN_SECONDS
    while not fact():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def sources(pair: Pair, key: str) -> list[Source]:
    return [container.configuration.get_value(key).source for container in (pair.one, pair.other)]


def test_what_one_was_told_the_other_need_not_ask(pair: Pair, platform: PlatformConfigurationService) -> None:
    assert sources(pair, "k1") == [Source.SERVICE, Source.SHARED_CACHE]
    assert platform.count("GET", "/api/config/k1") == 1


def test_secrets_stay_in_the_process(pair: Pair, redis_url: str) -> None:
    assert sources(pair, "db.password") == [Source.SERVICE, Source.SERVICE]
    sources(pair, "k1")
    with closing(redis.Redis.from_url(redis_url)) as client:
        held = [client.get(key) or b"" for key in client.keys("*")]
    assert held
    assert not any(b"hush" in value for value in held)


@pytest.mark.parametrize("pair", [SOON_OVER_SECONDS], indirect=True)
def test_a_copy_is_asked_again_after_its_freshness_and_gone_after_a_404(
    pair: Pair, platform: PlatformConfigurationService, redis_url: str
) -> None:
    pair.one.configuration.get_value("k1")
    platform.config["k1"] = "new"
    until(lambda: pair.other.configuration.get_value("k1").value.value == "new")
    with closing(redis.Redis.from_url(redis_url)) as client:
        assert client.keys("cache:gateway:configuration:*") != []
        del platform.config["k1"]
        until(lambda: is_missing(pair.one, "k1"))
        assert client.keys("cache:gateway:configuration:*") == []
    until(lambda: is_missing(pair.other, "k1"))


def is_missing(container: Container, key: str) -> bool:
    try:
        container.configuration.get_value(key)
    except ConfigNotFound:
        return True
    return False


@pytest.mark.parametrize("pair", [SOON_OVER_SECONDS], indirect=True)
def test_a_value_outlives_the_service_within_the_stale_window(pair: Pair, platform: PlatformConfigurationService) -> None:
    pair.one.configuration.get_value("k1")
    platform.stop()
    until(lambda: pair.other.configuration.get_value("k1").stale)
    known = pair.other.configuration.get_value("k1")
    assert (known.value.value, known.source) == (1, Source.LAST_KNOWN_GOOD)


@pytest.mark.parametrize("fault", ["hang", "refuse", "reset"])
def test_a_cache_that_fails_costs_one_read_its_limit_and_the_others_nothing(
    pair: Pair, cache_proxy: FaultProxy, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources(pair, "k0")
    failed = watch_failures(monkeypatch)
    if fault == "refuse":
        cache_proxy.refuse()
    else:
        cache_proxy.mode = fault
    for number in range(1, 50):
        assert pair.one.configuration.get_value(f"k{number}").source is Source.SERVICE
    assert len(failed) == 1, "one read pays for finding out, and nobody else waits"
    assert pair.one.cache.served_by == "in-process"


def test_a_cache_that_returns_is_shared_again(pair: Pair, cache_proxy: FaultProxy) -> None:
    sources(pair, "k0")
    cache_proxy.mode = "hang"
    numbers = iter(range(1, 300))
    sources(pair, f"k{next(numbers)}")
    cache_proxy.drop_all()
    cache_proxy.mode = "pass"
    until(lambda: sources(pair, f"k{next(numbers)}") == [Source.SERVICE, Source.SHARED_CACHE])


def test_a_killed_cache_that_lost_everything_breaks_no_read(platform: PlatformConfigurationService, tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path)
    server.start()
    try:
        with running(platform.url, server.url) as one, running(platform.url, server.url) as other:
            pair = Pair(one, other)
            assert sources(pair, "k1") == [Source.SERVICE, Source.SHARED_CACHE]
            server.stop()
            assert sources(pair, "k2") == [Source.SERVICE, Source.SERVICE]
            server.start()
            with closing(redis.Redis.from_url(server.url)) as client:
                client.flushall()
            numbers = iter(range(3, 300))
            until(lambda: sources(pair, f"k{next(numbers)}") == [Source.SERVICE, Source.SHARED_CACHE])
    finally:
        server.remove()


def test_what_somebody_else_wrote_there_is_not_believed(pair: Pair, redis_url: str) -> None:
    pair.one.configuration.get_value("k1")
    with closing(redis.Redis.from_url(redis_url)) as client:
        for key in client.keys("cache:*"):
            client.set(key, json.dumps({"value": "forged"}))
    assert pair.other.configuration.get_value("k1").source is Source.SERVICE
