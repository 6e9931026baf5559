"""The Configuration Service goes and comes back, in real time: registered again, healthy again, with no restart and no human."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from werkzeug.serving import BaseWSGIServer, make_server

from config.settings import Settings
from configservice.app import create_configuration_service
from gateway.clock import SystemClock
from tests.doubles.platform_configuration_service import PlatformConfigurationService
from tests.fakes.configuration_room import Room, build_room

RETURN_SECONDS = 30.0  # of a busy machine; it takes less than 5


class Reference:
    """The reference service on a fixed port, started and stopped at will."""

    def __init__(self, postgres_url: str) -> None:
        self._app = create_configuration_service(Settings.from_environment({"DATABASE_URL": postgres_url}))
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None
        self.port = 0

    def start(self) -> None:
        self._server = make_server("127.0.0.1", self.port, self._app, threaded=True)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._server and self._thread:
            self._server.shutdown()
            self._thread.join(5)
            self._server.server_close()
            self._server = None

    def close(self) -> None:
        self.stop()
        self._app.extensions["configservice"].database.close()


@pytest.fixture
def reference(postgres_url: str) -> Iterator[Reference]:
    service = Reference(postgres_url)
    service.start()
    service.stop()  # its port is known, nobody answers there
    yield service
    service.close()


@pytest.fixture
def room(reference: Reference, postgres_url: str) -> Iterator[Room]:
    with closing(build_room(f"http://127.0.0.1:{reference.port}", SystemClock(), postgres_url=postgres_url)) as built:
        yield built
        built.registration.leave()
        built.health.stop()


def until(fact: Callable[[], bool], limit_seconds: float) -> float:
    """Seconds until it holds."""
    started = time.monotonic()
    while not fact():
        if time.monotonic() - started > limit_seconds:
            pytest.fail(f"not within {limit_seconds} s")
        threading.Event().wait(0.02)
    return time.monotonic() - started


def test_registers_soon_after_the_services_return(room: Room, reference: Reference) -> None:
    room.registration.start()
    room.health.start()
    until(lambda: room.registration.snapshot().problem != "not tried yet", RETURN_SECONDS)
    assert room.health.snapshot()["registered"] is False
    reference.start()
    until(lambda: room.registration.snapshot().registered, RETURN_SECONDS)
    until(lambda: room.health.snapshot()["status"] == "healthy", RETURN_SECONDS)
    assert room.services.discover("api-gateway").value.instances[0].metadata == {"dependsOn": ["postgres"]}
    room.registration.leave()
    assert room.client.list_services() == []


def test_leaving_ends_when_the_service_hangs(room: Room, reference: Reference) -> None:
    reference.start()
    room.registration.step()
    reference.stop()
    room.registration.leave()


def test_against_the_platforms_own_service_registering_is_not_offered_and_nothing_breaks() -> None:
    with PlatformConfigurationService(config={"k": "v"}) as platform, closing(build_room(platform.url, SystemClock())) as room:
        assert room.registration.step() == 60
        assert room.registration.step() == 60
        room.health.step()
        snapshot = room.health.snapshot()
        assert (snapshot["status"], snapshot["registered"]) == ("healthy", False)
        assert snapshot["notOffered"] == ["POST /api/v1/services/register"]
        assert platform.count("POST", "/api/v1/services/register") == 1
        assert room.configuration.get_value("k").value.value == "v"
