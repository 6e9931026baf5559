"""One suite for every store of shared breakers: DragonflyDB's, on a real server, and the fake that unit tests use."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from config.databases import DragonflySettings
from embedded.processes import wait_until
from gateway.clock import SystemClock
from gateway.databases.dragonflydb import DragonflyDB
from gateway.databases.errors import DatabaseError
from gateway.recovery.breaker_model import BreakerState
from gateway.recovery.dragonfly import STATES_KEY, DragonflyBreakerStore
from gateway.recovery.model import Fault, FaultType
from gateway.recovery.ports import BreakerStore, SharedBreaker
from tests.fakes.breaker_store import FakeBreakerStore

TARGET = "service:prices"
BLAMED = Fault(
    FaultType.UPSTREAM, True, "http", 1.0, "v1-00", "tests.Error", "", template="<host> is away", vendor_code="503", target=TARGET
)
OPEN = SharedBreaker(TARGET, BreakerState.OPEN, 1, remaining_seconds=30.0, streak=2, decided_at_ms=123, by_operator=False, blamed=BLAMED)


@pytest.fixture(params=["dragonfly", "fake"])
def breaker_store(request: pytest.FixtureRequest) -> Iterator[BreakerStore]:
    if request.param == "fake":
        yield FakeBreakerStore(SystemClock())
        return
    database = DragonflyDB(DragonflySettings.read({"DRAGONFLY_URL": request.getfixturevalue("redis_url")}))
    yield DragonflyBreakerStore(database.unguarded_commands)
    database.close()


def test_a_new_store_knows_nothing(breaker_store: BreakerStore) -> None:
    assert breaker_store.read() == {}


def test_what_is_written_is_read_and_its_time_runs(breaker_store: BreakerStore) -> None:
    assert breaker_store.write(OPEN)
    found = breaker_store.read()[TARGET]
    assert replace(found, remaining_seconds=30.0) == OPEN
    assert 0.0 < found.remaining_seconds <= 30.0


def test_no_time_remains_of_what_is_over(breaker_store: BreakerStore) -> None:
    breaker_store.write(replace(OPEN, remaining_seconds=0.0))
    assert -30.0 < breaker_store.read()[TARGET].remaining_seconds <= 0.0


def test_how_long_ago_it_was_over_is_told(breaker_store: BreakerStore) -> None:
    breaker_store.write(replace(OPEN, remaining_seconds=-100.0))
    assert -130.0 < breaker_store.read()[TARGET].remaining_seconds <= -100.0


@pytest.mark.parametrize("version", [1, 3, 7])
def test_a_write_that_does_not_follow_the_standing_version_changes_nothing(breaker_store: BreakerStore, version: int) -> None:
    breaker_store.write(OPEN)
    assert not breaker_store.write(replace(OPEN, state=BreakerState.CLOSED, version=version))
    assert breaker_store.read()[TARGET].state is BreakerState.OPEN
    assert breaker_store.write(replace(OPEN, state=BreakerState.CLOSED, version=2))


def test_the_first_version_is_one(breaker_store: BreakerStore) -> None:
    assert not breaker_store.write(replace(OPEN, version=2))


def test_of_many_who_write_the_same_version_one_succeeds(breaker_store: BreakerStore) -> None:
    written: list[bool] = []
    threads = [threading.Thread(target=lambda: written.append(breaker_store.write(OPEN))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(written) == 1


def test_probes_are_leased_so_many_times_for_each_version(breaker_store: BreakerStore) -> None:
    taken = [breaker_store.lease_probe(TARGET, 4, limit=3, seconds=60) for _ in range(5)]
    assert taken == [True, True, True, False, False]
    assert breaker_store.lease_probe(TARGET, 5, limit=3, seconds=60)
    assert breaker_store.lease_probe("service:other", 4, limit=3, seconds=60)


def test_leases_end(breaker_store: BreakerStore) -> None:
    assert breaker_store.lease_probe(TARGET, 1, limit=1, seconds=0.05)
    assert wait_until(lambda: breaker_store.lease_probe(TARGET, 1, limit=1, seconds=60), timeout_seconds=30)  # by the server's own clock
    assert not breaker_store.lease_probe(TARGET, 1, limit=1, seconds=60)


def test_what_cannot_be_read_is_replaced(redis_url: str) -> None:
    database = DragonflyDB(DragonflySettings.read({"DRAGONFLY_URL": redis_url}))
    store = DragonflyBreakerStore(database.unguarded_commands)
    with database.commands() as client:
        client.hset(STATES_KEY, TARGET, b'{"state": "ajar"}')
    assert store.read() == {}
    assert store.write(OPEN)
    assert store.read()[TARGET].state is BreakerState.OPEN
    database.close()


def test_a_server_that_is_gone_raises_our_own_error() -> None:
    database = DragonflyDB(DragonflySettings.read({"DRAGONFLY_URL": "redis://127.0.0.1:1/0"}))
    store = DragonflyBreakerStore(database.unguarded_commands)
    for call in (store.read, lambda: store.write(OPEN), lambda: store.lease_probe(TARGET, 1, limit=1, seconds=1)):
        with pytest.raises(DatabaseError):
            call()
