"""What our own Configuration Service marks as secret stays in the memory of the process that asked, whatever its key is called."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from werkzeug.serving import make_server

from config.settings import Settings
from configservice.app import create_configuration_service
from gateway.caching.in_process import InProcessCache
from gateway.caching.service import Cache
from gateway.configuration.model import Source
from tests.fakes.caches import BreakableCache
from tests.fakes.clock import FakeClock
from tests.fakes.configuration_room import Room, build_room

FRESH_SECONDS = 5.0


@dataclass(frozen=True)
class Place:
    """The service, and two processes that share a cache and a PostgreSQL."""

    app: Flask
    clock: FakeClock
    one: Room
    other: Room

    def write(self, value: str, **fields: Any) -> None:
        response = self.app.test_client().post("/api/v1/config", json={"key": "door", "value": value, **fields})
        assert response.status_code == 201

    def rows(self) -> int:
        self.one.upkeep.step()
        self.other.upkeep.step()
        with self.one.postgres.transaction() as connection:
            return int(connection.execute(text("SELECT count(*) FROM known_copies")).scalar_one())


@pytest.fixture
def place(postgres_url: str) -> Iterator[Place]:
    app, clock = create_configuration_service(Settings.from_environment({"DATABASE_URL": postgres_url})), FakeClock()
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    shared = BreakableCache("dragonflydb", clock)
    url = f"http://127.0.0.1:{server.server_port}"
    with ExitStack() as stack:
        one, other = (
            stack.enter_context(
                closing(build_room(url, clock, postgres_url=postgres_url, cache=Cache([shared, InProcessCache(clock)], clock)))
            )
            for _ in range(2)
        )
        yield Place(app, clock, one, other)
    server.shutdown()
    thread.join(5)
    server.server_close()
    app.extensions["configservice"].database.close()


def test_a_marked_value_is_neither_written_down_nor_shared(place: Place) -> None:
    place.write("4711", isSecret=True)
    known = [room.configuration.get_value("door") for room in (place.one, place.other)]
    assert [(each.value.value, each.value.is_secret, each.source) for each in known] == [("4711", True, Source.SERVICE)] * 2
    assert place.one.configuration.get_value("door").source is Source.MEMORY
    assert place.rows() == 0


def test_a_value_that_becomes_secret_is_forgotten_outside_of_memory(place: Place) -> None:
    place.write("open")
    place.one.configuration.get_value("door")
    assert place.rows() == 1
    place.write("4711", isSecret=True)
    place.clock.advance(FRESH_SECONDS + 1)
    place.one.configuration.get_value("door")
    assert place.rows() == 0
    assert place.other.configuration.get_value("door").source is Source.SERVICE
