"""Reading through copies: fresh, stale, coalesced, and when nothing is known. Without PostgreSQL; the service is a double."""

import threading
from contextlib import closing

import pytest

from gateway.configuration.errors import ConfigNotFound, ConfigurationUnavailable, CredentialsRefused
from gateway.configuration.model import Instance, Service, Source
from gateway.errors import UpstreamInvalid
from tests.doubles.platform_configuration_service import PlatformConfigurationService
from tests.doubles.raw_server import RawServer, answers_forever, ok, read_request
from tests.fakes.clock import FakeClock
from tests.fakes.configuration_room import Room, build_room

CONFIG_PATH = "/api/config/k"
FRESH_SECONDS = 5.0


def test_a_value_is_asked_once_while_it_is_fresh(room: Room, platform: PlatformConfigurationService, clock: FakeClock) -> None:
    first = room.configuration.get_value("k")
    assert (first.value.value, first.source, first.stale, first.age_seconds) == ("v", Source.SERVICE, False, 0.0)
    platform.config["k"] = "new"
    clock.advance(FRESH_SECONDS - 0.1)
    again = room.configuration.get_value("k")
    assert (again.value.value, again.source, again.stale, again.age_seconds) == ("v", Source.MEMORY, False, 4.9)
    clock.advance(0.2)
    assert room.configuration.get_value("k").value.value == "new"
    assert platform.count("GET", CONFIG_PATH) == 2


def test_a_value_is_served_stale_with_its_age_while_the_service_is_down(
    room: Room, platform: PlatformConfigurationService, clock: FakeClock
) -> None:
    room.configuration.get_value("k")
    platform.stop()
    clock.advance(100)
    known = room.configuration.get_value("k")
    assert (known.value.value, known.source, known.stale, known.age_seconds) == ("v", Source.LAST_KNOWN_GOOD, True, 100.0)
    platform.config["k"] = "new"
    platform.start()
    clock.advance(10)
    assert room.configuration.get_value("k").value.value == "new"


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429, 418, 302])
def test_a_failed_refresh_never_drops_the_copy(room: Room, platform: PlatformConfigurationService, clock: FakeClock, status: int) -> None:
    room.configuration.get_value("k")
    platform.failing_with = status
    clock.advance(100)
    assert room.configuration.get_value("k").stale
    clock.advance(100)
    assert room.configuration.get_value("k").age_seconds == 200


def test_refused_credentials_serve_the_copy_and_say_so_without_one(
    room: Room, platform: PlatformConfigurationService, clock: FakeClock
) -> None:
    room.configuration.get_value("k")
    platform.failing_with = 401
    clock.advance(100)
    assert room.configuration.get_value("k").stale
    with pytest.raises(CredentialsRefused):
        room.configuration.get_value("other")


def test_a_value_that_was_deleted_at_the_source_is_gone_for_good(
    room: Room, platform: PlatformConfigurationService, clock: FakeClock
) -> None:
    room.configuration.get_value("k")
    del platform.config["k"]
    clock.advance(100)
    with pytest.raises(ConfigNotFound):
        room.configuration.get_value("k")
    platform.stop()
    with pytest.raises(ConfigurationUnavailable):
        room.configuration.get_value("k")


def test_that_a_value_is_missing_is_not_remembered(room: Room, platform: PlatformConfigurationService) -> None:
    with pytest.raises(ConfigNotFound):
        room.configuration.get_value("later")
    platform.config["later"] = 1
    assert room.configuration.get_value("later").value.value == 1


def test_a_copy_answers_only_for_its_own_layers(room: Room, platform: PlatformConfigurationService, clock: FakeClock) -> None:
    room.configuration.get_value("k", tenant_id="one")
    platform.stop()
    clock.advance(100)
    assert room.configuration.get_value("k", tenant_id="one").stale
    for layers in ({"tenant_id": "two"}, {"environment": "one"}, {"user_id": "one"}, {}):
        with pytest.raises(ConfigurationUnavailable):
            room.configuration.get_value("k", **layers)


def test_nobody_asks_while_the_service_is_known_to_be_down(room: Room, platform: PlatformConfigurationService, clock: FakeClock) -> None:
    platform.failing_with = 503
    with pytest.raises(ConfigurationUnavailable):
        room.configuration.get_value("k")
    asked = len(platform.seen)
    for _ in range(20):
        with pytest.raises(ConfigurationUnavailable) as caught:
            room.configuration.get_value("k")
    assert len(platform.seen) == asked
    assert 0.3 < (caught.value.retry_after_seconds or 0) <= 0.5
    platform.failing_with = None
    clock.advance(0.5)
    assert room.configuration.get_value("k").value.value == "v"


def test_the_probe_spares_requests_the_try(room: Room, platform: PlatformConfigurationService, clock: FakeClock) -> None:
    room.configuration.get_value("k")
    platform.failing_with = 503
    clock.advance(100)
    for _ in range(20):
        room.health.step()
        asked = len(platform.seen)
        assert room.configuration.get_value("k").stale
        assert len(platform.seen) == asked, "the request asked although the probe had just failed"
        clock.advance(1)
    platform.failing_with = None
    room.health.step()
    assert not room.configuration.get_value("k").stale


def test_concurrent_misses_become_one_call(clock: FakeClock) -> None:
    released = threading.Event()
    asked = threading.Semaphore(0)
    calls: list[bytes] = []

    def slow(sock) -> None:  # type: ignore[no-untyped-def]
        while request := read_request(sock):
            calls.append(request)
            asked.release()
            released.wait(10)
            sock.sendall(ok(b'{"data": {"key": "k", "value": 1}}'))

    found: list[object] = []
    with RawServer(slow) as server, closing(build_room(server.url, clock)) as room:
        threads = [threading.Thread(target=lambda: found.append(room.configuration.get_value("k").value.value)) for _ in range(8)]
        threads[0].start()
        assert asked.acquire(timeout=5)
        for thread in threads[1:]:
            thread.start()
        released.set()
        for thread in threads:
            thread.join(10)
    assert found == [1] * 8
    assert len(calls) == 1


def test_an_unusable_answer_is_said_when_nothing_is_known(clock: FakeClock) -> None:
    with (
        RawServer(answers_forever(ok(b"<html>"))) as server,
        closing(build_room(server.url, clock)) as room,
        pytest.raises(UpstreamInvalid),
    ):
        room.configuration.get_value("k")


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"data": null}', b'{"data": {"key": "k"}}', b'{"data": []}'])
def test_an_unusable_answer_never_replaces_the_copy(clock: FakeClock, body: bytes) -> None:
    good = ok(b'{"data": {"key": "k", "value": 1}}')

    def first_good(sock) -> None:  # type: ignore[no-untyped-def]
        read_request(sock)
        sock.sendall(good)
        while read_request(sock):
            sock.sendall(ok(body))

    with RawServer(first_good) as server, closing(build_room(server.url, clock)) as room:
        room.configuration.get_value("k")
        clock.advance(100)
        known = room.configuration.get_value("k")
    assert (known.value.value, known.stale) == (1, True)


def test_sends_who_asks_and_the_credentials() -> None:
    seen: list[bytes] = []

    def record(sock) -> None:  # type: ignore[no-untyped-def]
        seen.append(read_request(sock))
        sock.sendall(ok(b'{"data": {"key": "k", "value": 1}}'))

    secrets = {"CONFIG_SERVICE_TOKEN": "t0ken", "CONFIG_SERVICE_API_KEY": "k3y"}
    with RawServer(record) as server, closing(build_room(server.url, FakeClock(), **secrets)) as room:
        room.configuration.get_value("k", environment="production", tenant_id="a b")
    assert seen[0].startswith(b"GET /api/v1/config?key=k&environment=production&tenantId=a+b HTTP/1.1\r\n")
    assert b"x-service: api-gateway\r\n" in seen[0]
    assert b"authorization: Bearer t0ken\r\n" in seen[0]
    assert b"x-api-key: k3y\r\n" in seen[0]


def test_instances_are_chosen_in_turn(room: Room) -> None:
    service = Service("a", "healthy", tuple(Instance(f"h{number}", 80) for number in range(3)))
    chosen = [room.services.choose_instance(service).host for _ in range(6)]
    assert chosen == ["h0", "h1", "h2", "h0", "h1", "h2"]


def test_neither_a_copy_nor_what_is_not_offered_speaks_for_the_registry(room: Room, platform: PlatformConfigurationService) -> None:
    room.services.list_services()
    platform.stop()
    assert not room.services.list_services().stale  # the platform's own lists no services: nothing to ask it
    with pytest.raises(ConfigurationUnavailable):
        room.services.ping()
    platform.start()
    room.services.ping()
