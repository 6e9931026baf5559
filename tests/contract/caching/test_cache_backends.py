"""What every cache backend does alike."""

import time
import uuid
from collections.abc import Callable, Iterator

import pytest

from config.databases import DragonflySettings, RedisSettings
from gateway.caching.dragonfly import DragonflyCache
from gateway.caching.errors import NotACounter
from gateway.caching.in_process import InProcessCache
from gateway.caching.ports import CacheBackend
from gateway.caching.redis import RedisCache
from gateway.clock import SystemClock
from gateway.databases.dragonflydb import DragonflyDB
from gateway.databases.redis import Redis
from tests.servers.real import real_environment

TTL = 60.0


def dragonfly(request: pytest.FixtureRequest) -> tuple[CacheBackend, Callable[[], None]]:
    environment = real_environment("DRAGONFLY_URL") or {"DRAGONFLY_URL": request.getfixturevalue("redis_url")}
    database = DragonflyDB(DragonflySettings.read(environment))
    return DragonflyCache(database, "tests"), database.close


def redis(request: pytest.FixtureRequest) -> tuple[CacheBackend, Callable[[], None]]:
    environment = real_environment("REDIS_URL") or {"REDIS_URL": request.getfixturevalue("redis_url")}
    database = Redis(RedisSettings.read(environment))
    return RedisCache(database, "tests"), database.close


def in_process(_request: pytest.FixtureRequest) -> tuple[CacheBackend, Callable[[], None]]:
    return InProcessCache(SystemClock()), lambda: None


@pytest.fixture(params=[dragonfly, redis, in_process], ids=lambda make: make.__name__)
def backend(request: pytest.FixtureRequest) -> Iterator[CacheBackend]:
    made, close = request.param(request)
    yield made
    close()


@pytest.fixture
def key() -> str:
    """A key that no other test, and nobody on a real server, uses."""
    return f"test:{uuid.uuid4()}"


def until_gone(backend: CacheBackend, key: str) -> bool:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if backend.get(key) is None:
            return True
    return False


def test_a_value_comes_back_byte_for_byte(backend: CacheBackend, key: str) -> None:
    value = bytes(range(256))
    backend.set(key, value, TTL)
    assert backend.get(key) == value


def test_an_empty_value_is_a_value(backend: CacheBackend, key: str) -> None:
    backend.set(key, b"", TTL)
    assert backend.get(key) == b""
    assert backend.get_many([key]) == {key: b""}


def test_what_was_never_set_is_absent(backend: CacheBackend, key: str) -> None:
    assert backend.get(key) is None


def test_a_second_set_replaces_the_first(backend: CacheBackend, key: str) -> None:
    backend.set(key, b"1", TTL)
    backend.set(key, b"2", TTL)
    assert backend.get(key) == b"2"


def test_a_value_is_gone_after_its_time(backend: CacheBackend, key: str) -> None:
    backend.set(key, b"1", 0.05)
    assert until_gone(backend, key)


def test_a_second_set_starts_the_time_anew(backend: CacheBackend, key: str) -> None:
    backend.set(key, b"1", 0.05)
    backend.set(key, b"2", TTL)
    assert not until_gone_within(backend, key, 0.2)


def until_gone_within(backend: CacheBackend, key: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if backend.get(key) is None:
            return True
    return False


def test_deleting_says_how_many_there_were(backend: CacheBackend, key: str) -> None:
    backend.set(key, b"1", TTL)
    assert backend.delete_many([key, key + "x"]) == 1
    assert backend.delete_many([key]) == 0
    assert backend.get(key) is None


def test_many_keys_at_once_come_back_by_name(backend: CacheBackend, key: str) -> None:
    keys = [f"{key}:{number}" for number in range(1200)]
    for name in keys[::2]:
        backend.set(name, name.encode(), TTL)
    assert backend.get_many(keys) == {name: name.encode() for name in keys[::2]}
    assert backend.delete_many(keys) == 600


def test_no_keys_are_no_values(backend: CacheBackend) -> None:
    assert backend.get_many([]) == {}
    assert backend.delete_many([]) == 0


def test_a_counter_counts(backend: CacheBackend, key: str) -> None:
    assert [backend.increment(key, 1, TTL), backend.increment(key, 5, TTL), backend.increment(key, -2, TTL)] == [1, 6, 4]


def test_a_counters_time_starts_with_its_first_increment(backend: CacheBackend, key: str) -> None:
    backend.increment(key, 1, 0.3)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and backend.increment(key, 1, 0.3) > 1:
        pass
    assert time.monotonic() < deadline


def test_a_value_that_is_no_number_cannot_be_counted(backend: CacheBackend, key: str) -> None:
    backend.set(key, b"word", TTL)
    with pytest.raises(NotACounter):
        backend.increment(key, 1, TTL)


def test_keys_of_any_letters(backend: CacheBackend, key: str) -> None:
    odd = key + " ü\n\0:{}*"
    backend.set(odd, b"1", TTL)
    assert backend.get(odd) == b"1"
