"""What one process was told, the others need not ask: two rooms over one cache."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from gateway.caching.in_process import InProcessCache
from gateway.caching.service import Cache
from gateway.configuration.errors import ConfigNotFound, ConfigurationUnavailable
from gateway.configuration.model import Source
from tests.doubles.platform_configuration_service import PlatformConfigurationService
from tests.fakes.caches import BreakableCache
from tests.fakes.clock import FakeClock
from tests.fakes.configuration_room import Room, build_room

CONFIG_PATH = "/api/config/k"
FRESH_SECONDS = 5.0


@pytest.fixture
def platform() -> Iterator[PlatformConfigurationService]:
    with PlatformConfigurationService(config={"k": "v", "db.password": "hush"}) as service:
        yield service


@pytest.fixture
def server(clock: FakeClock) -> BreakableCache:
    return BreakableCache("dragonflydb", clock)


@pytest.fixture
def rooms(platform: PlatformConfigurationService, server: BreakableCache, clock: FakeClock) -> Iterator[tuple[Room, Room]]:
    """Two processes: a cache each, over the one server."""
    one, other = (build_room(platform.url, clock, cache=Cache([server, InProcessCache(clock)], clock)) for _ in range(2))
    with closing(one), closing(other):
        yield one, other


Rooms = tuple[Room, Room]


def test_what_one_was_told_is_fresh_for_the_other(rooms: Rooms, platform: PlatformConfigurationService, clock: FakeClock) -> None:
    rooms[0].configuration.get_value("k")
    clock.advance(2)
    known = rooms[1].configuration.get_value("k")
    assert (known.value.value, known.source, known.stale, known.age_seconds) == ("v", Source.SHARED_CACHE, False, 2.0)
    assert rooms[1].configuration.get_value("k").source is Source.MEMORY
    assert platform.count("GET", CONFIG_PATH) == 1


def test_it_is_no_longer_fresh_for_the_other_than_for_the_one(
    rooms: Rooms, platform: PlatformConfigurationService, clock: FakeClock
) -> None:
    rooms[0].configuration.get_value("k")
    platform.config["k"] = "new"
    clock.advance(FRESH_SECONDS - 0.1)
    assert rooms[1].configuration.get_value("k").value.value == "v"
    clock.advance(0.2)
    known = rooms[1].configuration.get_value("k")
    assert (known.value.value, known.source) == ("new", Source.SERVICE)
    assert rooms[0].configuration.get_value("k").value.value == "new"
    assert platform.count("GET", CONFIG_PATH) == 2


def test_a_secret_is_not_shared(rooms: Rooms, platform: PlatformConfigurationService) -> None:
    assert [room.configuration.get_value("db.password").source for room in rooms] == [Source.SERVICE, Source.SERVICE]
    assert platform.count("GET", "/api/config/db.password") == 2


def test_a_value_that_is_gone_at_the_source_is_gone_for_all(rooms: Rooms, platform: PlatformConfigurationService, clock: FakeClock) -> None:
    rooms[0].configuration.get_value("k")
    del platform.config["k"]
    clock.advance(FRESH_SECONDS + 1)
    with pytest.raises(ConfigNotFound):
        rooms[0].configuration.get_value("k")
    platform.stop()
    with pytest.raises(ConfigurationUnavailable):
        rooms[1].configuration.get_value("k")


def test_a_copy_of_another_process_is_the_last_known_good_one(
    rooms: Rooms, platform: PlatformConfigurationService, clock: FakeClock
) -> None:
    rooms[0].configuration.get_value("k")
    platform.stop()
    clock.advance(100)
    known = rooms[1].configuration.get_value("k")
    assert (known.value.value, known.source, known.stale, known.age_seconds) == ("v", Source.LAST_KNOWN_GOOD, True, 100.0)


def test_the_newer_of_two_copies_is_the_last_known_good_one(rooms: Rooms, platform: PlatformConfigurationService, clock: FakeClock) -> None:
    rooms[1].configuration.get_value("k")
    clock.advance(50)
    platform.config["k"] = "newer"
    rooms[0].configuration.get_value("k")
    platform.stop()
    clock.advance(50)
    known = rooms[1].configuration.get_value("k")
    assert (known.value.value, known.age_seconds) == ("newer", 50.0)


def test_without_the_cache_every_process_asks_for_itself(
    rooms: Rooms, platform: PlatformConfigurationService, server: BreakableCache, clock: FakeClock
) -> None:
    server.down = True
    assert [room.configuration.get_value("k").source for room in rooms] == [Source.SERVICE, Source.SERVICE]
    server.down = False
    for room in rooms:  # each lets the server forget what changed meanwhile
        clock.advance(FRESH_SECONDS + 1)
        room.configuration.get_value("k")
    clock.advance(FRESH_SECONDS + 1)
    assert [room.configuration.get_value("k").source for room in rooms] == [Source.SERVICE, Source.SHARED_CACHE]


def test_who_asks_another_service_or_as_somebody_else_is_told_nothing(
    rooms: Rooms, platform: PlatformConfigurationService, server: BreakableCache, clock: FakeClock
) -> None:
    rooms[0].configuration.get_value("k")
    cache = Cache([server, InProcessCache(clock)], clock)
    with closing(build_room(platform.url, clock, cache=cache, CONFIG_SERVICE_TOKEN="another")) as stranger:
        assert stranger.configuration.get_value("k").source is Source.SERVICE
    with (
        PlatformConfigurationService(config={"k": "elsewhere"}) as elsewhere,
        closing(build_room(elsewhere.url, clock, cache=cache)) as room,
    ):
        assert room.configuration.get_value("k").value.value == "elsewhere"


def test_a_copy_from_the_future_is_not_believed(platform: PlatformConfigurationService, server: BreakableCache, clock: FakeClock) -> None:
    ahead = FakeClock(clock.now())
    ahead.advance(3600)
    with closing(build_room(platform.url, ahead, cache=Cache([server, InProcessCache(ahead)], ahead))) as other:
        other.configuration.get_value("k")
    with closing(build_room(platform.url, clock, cache=Cache([server, InProcessCache(clock)], clock))) as room:
        assert room.configuration.get_value("k").source is Source.SERVICE
