"""What the poller says of six databases, and that a hung one delays nobody."""

import os
import threading
import time
from collections.abc import Iterator

import pytest

from config.databases import PollerSettings
from gateway.databases.errors import DatabasePoolExhausted, DatabaseReadOnly, DatabaseTimeout, DatabaseUnreachable
from gateway.databases.model import DatabaseName, Status
from gateway.databases.observing import AGAIN_SECONDS
from gateway.databases.poller import CALM_SECONDS, Poller
from tests.fakes.clock import FakeClock
from tests.fakes.databases import FakeDatabase

SETTINGS = PollerSettings.read({})
POSTGRES, DRAGONFLY, REDIS, CLICKHOUSE, WEAVIATE, ARANGO = (
    DatabaseName.POSTGRES,
    DatabaseName.DRAGONFLYDB,
    DatabaseName.REDIS,
    DatabaseName.CLICKHOUSE,
    DatabaseName.WEAVIATE,
    DatabaseName.ARANGODB,
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def six() -> Iterator[dict[DatabaseName, FakeDatabase]]:
    made = {name: FakeDatabase(name) for name in DatabaseName}
    yield made
    for database in made.values():
        database.release.set()


def unreachable(name: DatabaseName) -> DatabaseUnreachable:
    return DatabaseUnreachable(name, "It cannot be reached", vendor_code="08006")


def looked(six: dict[DatabaseName, FakeDatabase], clock: FakeClock) -> Poller:
    poller = Poller(six.values(), SETTINGS, clock)
    for name, database in six.items():
        if database.configured:
            poller.step(name)
    return poller


def test_a_database_that_answers_is_healthy_with_its_version(six: dict[DatabaseName, FakeDatabase], clock: FakeClock) -> None:
    status = looked(six, clock).snapshot()[POSTGRES]
    assert (status.status, status.version, status.served_by, status.error) == (Status.HEALTHY, "1.0", "postgres", None)
    assert status.last_ok_at == clock.now()
    assert status.latency_ms == 0.0


def test_before_the_first_look_nothing_is_claimed(six: dict[DatabaseName, FakeDatabase], clock: FakeClock) -> None:
    status = Poller(six.values(), SETTINGS, clock).snapshot()[POSTGRES]
    assert status.status is Status.UNHEALTHY
    assert status.error
    assert status.error.code == "DATABASE_NOT_CHECKED_YET"


def test_a_server_that_was_restarted_between_two_looks_is_well(six: dict[DatabaseName, FakeDatabase], clock: FakeClock) -> None:
    poller, broken = looked(six, clock), [unreachable(POSTGRES)]

    def break_the_kept_connection() -> None:
        if broken:
            raise broken.pop()

    six[POSTGRES].before_ping = break_the_kept_connection
    poller.step(POSTGRES)
    assert poller.snapshot()[POSTGRES].status is Status.HEALTHY


def test_a_server_that_is_away_is_asked_over_a_new_connection_once(six: dict[DatabaseName, FakeDatabase], clock: FakeClock) -> None:
    poller, database = looked(six, clock), six[POSTGRES]
    database.error, pings = unreachable(POSTGRES), database.pings
    poller.step(POSTGRES)
    assert (poller.snapshot()[POSTGRES].status, database.pings - pings) == (Status.UNHEALTHY, 2)
    poller.step(POSTGRES)
    assert database.pings - pings == 3


def test_a_database_that_fails_keeps_when_it_was_last_well(six: dict[DatabaseName, FakeDatabase], clock: FakeClock) -> None:
    poller = looked(six, clock)
    well_at = clock.now()
    clock.advance(5)
    six[CLICKHOUSE].error = unreachable(CLICKHOUSE)
    assert poller.step(CLICKHOUSE) == SETTINGS.down_interval_seconds
    status = poller.snapshot()[CLICKHOUSE]
    assert (status.status, status.last_ok_at, status.version) == (Status.UNHEALTHY, well_at, "1.0")
    assert status.error
    assert (status.error.kind, status.error.code, status.error.vendor_code) == (
        "DatabaseUnreachable",
        "DATABASE_CONNECTION_ERROR",
        "08006",
    )


def test_one_that_begins_to_be_silent_is_looked_at_once_more_at_once(six: dict[DatabaseName, FakeDatabase], clock: FakeClock) -> None:
    poller = looked(six, clock)
    six[CLICKHOUSE].error = DatabaseTimeout(CLICKHOUSE, "It did not answer in time")
    waits = [poller.step(CLICKHOUSE) for _ in range(3)]
    assert waits == [AGAIN_SECONDS, SETTINGS.down_interval_seconds, SETTINGS.down_interval_seconds]


def test_who_waited_in_vain_makes_it_look_at_once_but_not_again_and_again(six: dict[DatabaseName, FakeDatabase], clock: FakeClock) -> None:
    poller = Poller(six.values(), PollerSettings.read({"POLL_INTERVAL_SECONDS": "3600"}), clock)
    poller.look_soon(POSTGRES)  # nobody polls
    poller.start()
    until(lambda: six[POSTGRES].pings == 1 and poller.snapshot()[POSTGRES].status is Status.HEALTHY)
    poller.look_soon(POSTGRES)  # just looked
    clock.advance(CALM_SECONDS)
    poller.look_soon(CLICKHOUSE)
    until(lambda: six[CLICKHOUSE].pings == 2)
    assert six[POSTGRES].pings == 1
    poller.look_soon(POSTGRES)
    until(lambda: six[POSTGRES].pings == 2)
    poller.stop()


def test_a_database_that_is_back_is_healthy_at_the_next_look(six: dict[DatabaseName, FakeDatabase], clock: FakeClock) -> None:
    six[CLICKHOUSE].error = unreachable(CLICKHOUSE)
    poller = looked(six, clock)
    six[CLICKHOUSE].error = None
    assert poller.step(CLICKHOUSE) == SETTINGS.interval_seconds
    assert poller.snapshot()[CLICKHOUSE].status is Status.HEALTHY


@pytest.mark.parametrize("error", [DatabasePoolExhausted("postgres", "in use"), DatabaseReadOnly("postgres", "reads only")])
def test_one_that_answers_but_refuses_some_calls_is_degraded(
    six: dict[DatabaseName, FakeDatabase], clock: FakeClock, error: Exception
) -> None:
    six[POSTGRES].error = error
    status = looked(six, clock).snapshot()[POSTGRES]
    assert (status.status, status.served_by) == (Status.DEGRADED, "postgres")


def test_a_slow_one_is_degraded(six: dict[DatabaseName, FakeDatabase], clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    database = six[POSTGRES]
    answer = database.ping

    def slow(timeout_seconds: float) -> object:
        clock.advance(0.6)
        return answer(timeout_seconds)

    monkeypatch.setattr(database, "ping", slow)
    status = looked(six, clock).snapshot()[POSTGRES]
    assert (status.status, status.latency_ms) == (Status.DEGRADED, pytest.approx(600))


@pytest.mark.parametrize(
    ("breaker", "status", "served_by"),
    [
        ("closed", Status.HEALTHY, "dragonflydb"),
        ("disabled", Status.HEALTHY, "dragonflydb"),
        ("half_open", Status.DEGRADED, "dragonflydb"),
        ("open", Status.DEGRADED, "redis"),
        ("forced_open", Status.DEGRADED, "redis"),
    ],
)
def test_its_breaker_shows(six: dict[DatabaseName, FakeDatabase], clock: FakeClock, breaker: str, status: Status, served_by: str) -> None:
    poller = Poller(six.values(), SETTINGS, clock, lambda name: breaker if name == "dragonflydb" else "closed")
    for name in six:
        poller.step(name)
    shown = poller.snapshot()[DRAGONFLY]
    assert (shown.breaker, shown.status, shown.served_by) == (breaker, status, served_by)


@pytest.mark.parametrize(
    ("down", "name", "served_by"),
    [
        ({DRAGONFLY}, DRAGONFLY, "redis"),
        ({DRAGONFLY, REDIS}, DRAGONFLY, "in-process"),
        ({REDIS}, REDIS, "in-process"),
        ({CLICKHOUSE}, CLICKHOUSE, "postgres"),
        ({CLICKHOUSE, POSTGRES}, CLICKHOUSE, "local-spool"),
        ({WEAVIATE}, WEAVIATE, "postgres"),
        ({WEAVIATE, POSTGRES}, WEAVIATE, "fingerprint"),
        ({ARANGO}, ARANGO, "postgres"),
        ({ARANGO, POSTGRES}, ARANGO, None),
        ({POSTGRES}, POSTGRES, "last-known-good"),
    ],
)
@pytest.mark.parametrize("how", ["down", "disabled"])
def test_a_role_moves_to_its_declared_fallback(  # noqa: PLR0917 - fixtures and the table's columns
    six: dict[DatabaseName, FakeDatabase], clock: FakeClock, down: set[DatabaseName], name: DatabaseName, served_by: str | None, how: str
) -> None:
    for missing in down:
        six[missing].error = unreachable(missing)
        six[missing].configured = how == "down"
    status = looked(six, clock).snapshot()[name]
    assert status.served_by == served_by
    assert status.status is (Status.UNHEALTHY if how == "down" else Status.DISABLED)


def test_a_bug_in_a_driver_shows_as_down_not_as_the_last_good_look(six: dict[DatabaseName, FakeDatabase], clock: FakeClock) -> None:
    poller = looked(six, clock)
    six[POSTGRES].error = ZeroDivisionError()
    poller.step(POSTGRES)
    assert poller.snapshot()[POSTGRES].status is Status.UNHEALTHY


def test_a_hung_ping_shows_as_down_although_it_never_ends(six: dict[DatabaseName, FakeDatabase], clock: FakeClock) -> None:
    poller = looked(six, clock)
    six[WEAVIATE].hangs = True
    thread = threading.Thread(target=poller.step, args=(WEAVIATE,))
    thread.start()
    until(lambda: six[WEAVIATE].pings == 2)
    clock.advance(SETTINGS.timeout_seconds)
    assert poller.snapshot()[WEAVIATE].status is Status.HEALTHY
    clock.advance(SETTINGS.timeout_seconds * 3)
    shown = poller.snapshot()[WEAVIATE]
    six[WEAVIATE].release.set()
    thread.join(10)
    assert (shown.status, shown.error and shown.error.code) == (Status.UNHEALTHY, "DATABASE_TIMEOUT")
    assert poller.snapshot()[WEAVIATE].status is Status.DEGRADED  # it answered, but slowly


def until(condition: object, seconds: float = 10.0) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_hung_database_delays_none_of_the_others(six: dict[DatabaseName, FakeDatabase], clock: FakeClock) -> None:
    six[CLICKHOUSE].hangs = True
    poller = Poller(six.values(), PollerSettings.read({"POLL_INTERVAL_SECONDS": "0.01", "POLL_TIMEOUT_SECONDS": "0.2"}), clock)
    poller.start()
    until(lambda: all(database.pings >= 3 for name, database in six.items() if name != CLICKHOUSE))
    assert six[CLICKHOUSE].pings == 1
    six[CLICKHOUSE].release.set()
    poller.stop()
    assert poller.snapshot()[POSTGRES].status is Status.HEALTHY


def test_a_child_polls_by_itself(six: dict[DatabaseName, FakeDatabase], clock: FakeClock) -> None:
    poller = Poller(six.values(), SETTINGS, clock)
    poller.start()
    assert poller.wait_until_seen(0) or poller.snapshot()
    child = os.fork()
    if child == 0:
        before = six[POSTGRES].pings
        poller.start()
        deadline = time.monotonic() + 5
        while six[POSTGRES].pings == before and time.monotonic() < deadline:
            time.sleep(0.005)
        os._exit(0 if six[POSTGRES].pings > before else 1)
    poller.stop()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_checking_now_does_not_count_loading_the_driver_and_connecting(six: dict[DatabaseName, FakeDatabase], clock: FakeClock) -> None:
    only = [six[WEAVIATE]]
    six[WEAVIATE].before_ping = lambda: clock.advance(3 if six[WEAVIATE].pings == 1 else 0.01)
    status = Poller(only, SETTINGS, clock).check_now(10)[WEAVIATE]
    assert (status.status, round(status.latency_ms or 0)) == (Status.HEALTHY, 10)


def test_checking_now_asks_all_at_once_and_names_the_one_that_hangs(six: dict[DatabaseName, FakeDatabase], clock: FakeClock) -> None:
    six[REDIS].hangs = True
    six[WEAVIATE].configured = False
    statuses = Poller(six.values(), SETTINGS, clock).check_now(0.05)
    assert statuses[POSTGRES].status is Status.HEALTHY
    assert statuses[WEAVIATE].status is Status.DISABLED
    assert statuses[REDIS].error
    assert statuses[REDIS].error.code == "DATABASE_TIMEOUT"
