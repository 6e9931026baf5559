"""Uploading what was learned: to the platform's own registry and to ours, in idempotent batches, losing nothing."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from config.settings import Settings
from configservice.app import create_configuration_service
from gateway.clock import SystemClock
from gateway.errors import InvalidInput, Unavailable
from gateway.recovery.model import Action
from gateway.recovery.patterns.documents import flow_id_of
from gateway.recovery.patterns.postgres_uploads import UploadStore
from tests.doubles.platform_configuration_service import PlatformConfigurationService
from tests.fakes.clock import FakeClock
from tests.fakes.configuration_room import build_room
from tests.fakes.patterns import PatternsRoom, fault

FIRE, MELTED = fault("the cache is on fire"), fault("the disk has melted")


@pytest.fixture
def platform_url() -> Iterator[str]:
    with PlatformConfigurationService() as service:
        yield service.url


@pytest.fixture
def reference_url(postgres_url: str) -> Iterator[str]:
    app = create_configuration_service(Settings.from_environment({"DATABASE_URL": postgres_url}))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(5)
    server.server_close()
    app.extensions["configservice"].database.close()


class FakeRegistry:
    """Flows in memory; raises `error` when it is set."""

    def __init__(self) -> None:
        self.flows: dict[str, Any] = {}
        self.calls = 0
        self.error: Exception | None = None

    def register(self, document: Any) -> Any:
        return self._take(document)

    def replace(self, document: Any) -> bool:
        if document["id"] not in self.flows:
            return False
        self._take(document)
        return True

    def _take(self, document: Any) -> Any:
        self.calls += 1
        if self.error:
            raise self.error
        self.flows[document["id"]] = document
        return document


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry()


@pytest.fixture
def room(postgres_url: str, tmp_path: Path, clock: FakeClock, registry: FakeRegistry) -> Iterator[PatternsRoom]:
    with closing(PatternsRoom(postgres_url, tmp_path, clock, registry=registry)) as made:
        yield made


def learn(room: PatternsRoom, *faults: Any) -> None:
    for each in faults:
        room.patterns.observe(each)
    room.patterns.flush()


@pytest.mark.parametrize("served_by", ["platform", "reference"])
def test_a_registry_gets_each_pattern_once_and_then_its_newer_counts(
    served_by: str, request: pytest.FixtureRequest, postgres_url: str, tmp_path: Path
) -> None:
    url = request.getfixturevalue(f"{served_by}_url")
    with closing(build_room(url, SystemClock())) as configuration:
        room = PatternsRoom(postgres_url, tmp_path, SystemClock(), registry=configuration.registry)
        learn(room, FIRE, FIRE, MELTED)
        assert room.uploads.upload() == 2
        assert room.uploads.upload() == 0
        stored = configuration.registry.find(flow_id_of(FIRE.fingerprint))
        assert stored
        assert stored["metadata"]["count"] == 2
        assert (stored["type"], len(stored["nodes"]), len(stored["edges"])) == ("custom", 2, 1)
        assert "error_pattern" in stored["tags"]

        learn(room, FIRE)
        room.patterns.record_outcome(FIRE.fingerprint, Action.RETRY, success=True, duration_ms=100)
        room.patterns.flush()
        assert room.uploads.upload() == 1
        replaced = configuration.registry.find(flow_id_of(FIRE.fingerprint))
        assert replaced
        assert replaced["metadata"]["count"] == 3
        assert room.patterns.get(FIRE.fingerprint).pattern.uploaded_count == 3
        room.close()


def test_a_registry_that_has_it_already_takes_the_counts(room: PatternsRoom, registry: FakeRegistry, postgres_url: str) -> None:
    """Its answer got lost, or another gateway uploaded it: the platform answers 500 or 409 then."""
    with PlatformConfigurationService() as service, closing(build_room(service.url, SystemClock())) as configuration:
        service.flows[flow_id_of(FIRE.fingerprint)] = {"id": flow_id_of(FIRE.fingerprint), "name": "older", "version": "1.0.0"}
        room.registry = configuration.registry
        learn(room, FIRE)
        assert room.uploads.upload() == 1
        assert service.flows[flow_id_of(FIRE.fingerprint)]["metadata"]["count"] == 1


def test_a_registry_that_forgot_a_flow_gets_it_again(room: PatternsRoom, registry: FakeRegistry) -> None:
    learn(room, FIRE)
    room.uploads.upload()
    registry.flows.clear()
    learn(room, FIRE)
    assert room.uploads.upload() == 1
    assert registry.flows[flow_id_of(FIRE.fingerprint)]["metadata"]["count"] == 2


def test_a_registry_that_is_away_delays_and_loses_nothing(room: PatternsRoom, registry: FakeRegistry) -> None:
    learn(room, FIRE, MELTED)
    registry.error = Unavailable("The Flow Registry is down")
    assert room.uploads.upload() == 0
    assert registry.calls == 1
    registry.error = None
    assert room.uploads.upload() == 2


def test_a_registry_that_refuses_is_asked_again_later(room: PatternsRoom, registry: FakeRegistry, clock: FakeClock) -> None:
    learn(room, FIRE)
    registry.error = InvalidInput("I do not like it")
    for wait_seconds in (0, 60, 120):
        clock.advance(wait_seconds)
        assert room.uploads.upload() == 0
        assert room.uploads.upload() == 0
    assert registry.calls == 3
    registry.error = None
    clock.advance(240)
    assert room.uploads.upload() == 1


def test_more_than_a_batch_goes_in_one_round_and_buckets_stay_here(room: PatternsRoom, registry: FakeRegistry) -> None:
    words = [f"{one}{other}" for one in ("red", "blue", "green", "pink", "black") for other in ("fox", "dog", "cat", "cow", "owl", "bee")]
    room.store._max_per_source = 25
    learn(room, *(fault(f"the {word} sleeps") for word in words))
    assert room.uploads.upload() == 25
    assert len(registry.flows) == 25


def test_two_uploaders_at_once_share_the_work(room: PatternsRoom, clock: FakeClock) -> None:
    learn(room, FIRE, MELTED)
    store, now = UploadStore(room.postgres.transaction), clock.now()
    lease = now + timedelta(seconds=60)
    (first,) = store.claim(now, lease, 1)
    (second,) = store.claim(now, lease, 5)
    assert first.pattern.facts != second.pattern.facts
    assert store.claim(now, lease, 5) == []


def test_an_uploader_that_lost_its_lease_changes_nothing(room: PatternsRoom, clock: FakeClock) -> None:
    learn(room, FIRE)
    store = UploadStore(room.postgres.transaction)
    lease = clock.now() + timedelta(seconds=60)
    (late,) = store.claim(clock.now(), lease, 1)
    clock.advance(61)
    (current,) = store.claim(clock.now(), clock.now() + timedelta(seconds=60), 1)
    assert not store.uploaded(late.pattern, lease, clock.now())
    assert store.uploaded(current.pattern, clock.now() + timedelta(seconds=60), clock.now())


def test_what_is_learned_while_it_is_uploaded_is_uploaded_next(room: PatternsRoom, registry: FakeRegistry) -> None:
    learn(room, FIRE)
    take: Callable[[Any], Any] = registry.register

    def register(document: Any) -> Any:
        learn(room, FIRE)
        return take(document)

    registry.register = register  # type: ignore[method-assign]
    assert room.uploads.upload() == 2
    assert registry.flows[flow_id_of(FIRE.fingerprint)]["metadata"]["count"] == 2


def test_a_pattern_on_which_the_registry_breaks_holds_up_no_other(postgres_url: str, tmp_path: Path, registry: FakeRegistry) -> None:
    room = PatternsRoom(postgres_url, tmp_path, SystemClock(), registry=registry)
    learn(room, *(fault(f"the {word} sleeps") for word in ("fox", "dog", "cat", "cow", "owl")))
    take: Callable[[Any], Any] = registry.register
    asked: list[str] = []

    def register(document: Any) -> Any:
        asked.append(document["id"])
        if document["id"] == asked[0]:
            raise Unavailable("The Flow Registry is down")
        return take(document)

    registry.register = register  # type: ignore[method-assign]
    with closing(room):
        for _ in range(2):
            room.uploads.upload()
    assert len(registry.flows) == 4
