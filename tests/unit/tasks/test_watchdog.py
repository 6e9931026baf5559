"""When a worker counts as deaf."""

from types import SimpleNamespace
from typing import Any

import pytest
from celery.worker import state

from tasks.app import app
from tasks.watchdog import (
    DEAF_RINGS,
    DEAF_SECONDS,
    EXIT_CODE,
    RING_SECONDS,
    UNCONNECTED_SECONDS,
    WARM_SECONDS,
    Hearing,
    Verdict,
    Watchdog,
    is_busy,
    is_connected,
    own_queue,
)
from tests.fakes.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def hearing(clock: FakeClock) -> Hearing:
    return Hearing(clock)


def test_a_worker_that_answers_each_ring_is_fine(hearing: Hearing, clock: FakeClock) -> None:
    for _ in range(20):
        hearing.rung()
        clock.advance(RING_SECONDS)
        assert hearing.judge(connected=True) is Verdict.FINE
        hearing.heard()


def test_a_worker_that_was_rung_and_received_nothing_is_deaf(hearing: Hearing, clock: FakeClock) -> None:
    while clock.monotonic() < DEAF_SECONDS:
        hearing.rung()
        assert hearing.judge(connected=True) is Verdict.FINE
        clock.advance(RING_SECONDS)
    assert hearing.judge(connected=True) is Verdict.DEAF


def test_a_worker_is_not_deaf_while_the_broker_is_down_or_all_its_children_are_busy(hearing: Hearing, clock: FakeClock) -> None:
    hearing.rung()
    for _ in range(100):
        clock.advance(RING_SECONDS)
        hearing.excused()
        assert hearing.judge(connected=True) is Verdict.FINE
    hearing.rung()  # the broker is back: the silence begins to count now
    assert hearing.judge(connected=True) is Verdict.FINE


def test_a_worker_that_was_stopped_itself_is_asked_again_first(hearing: Hearing, clock: FakeClock) -> None:
    hearing.rung()
    clock.advance(3600)
    hearing.rung()
    assert hearing.judge(connected=True) is Verdict.FINE


def test_a_worker_that_reconnects_has_more_time(hearing: Hearing, clock: FakeClock) -> None:
    for _ in range(DEAF_RINGS):
        hearing.rung()
    clock.advance(UNCONNECTED_SECONDS - 1)
    assert hearing.judge(connected=False) is Verdict.FINE
    clock.advance(1)
    assert hearing.judge(connected=False) is Verdict.STUCK


def test_a_worker_that_was_never_rung_is_fine(hearing: Hearing, clock: FakeClock) -> None:
    clock.advance(1000)
    assert hearing.judge(connected=True) is Verdict.FINE


def test_noticing_and_leaving_take_less_than_thirty_seconds() -> None:
    assert DEAF_SECONDS + 2 * RING_SECONDS + WARM_SECONDS <= 30
    assert EXIT_CODE != 0


def test_a_worker_is_busy_with_as_many_tasks_as_it_has_children(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = SimpleNamespace(concurrency=2)
    monkeypatch.setattr(state, "reserved_requests", {"one"})
    assert not is_busy(worker)
    monkeypatch.setattr(state, "reserved_requests", {"one", "two"})
    assert is_busy(worker)


@pytest.mark.parametrize(
    ("consumer", "connected"),
    [
        (None, False),
        (SimpleNamespace(connection=None, blueprint=SimpleNamespace(started=3), steps=[1, 2, 3]), False),
        (SimpleNamespace(connection=1, blueprint=SimpleNamespace(started=1), steps=[1, 2, 3]), False),
        (SimpleNamespace(connection=1, blueprint=SimpleNamespace(started=3), steps=[1, 2, 3]), True),
    ],
)
def test_a_worker_is_connected_when_its_event_loop_runs(consumer: Any, connected: bool) -> None:
    assert is_connected(SimpleNamespace(consumer=consumer)) is connected


def test_every_worker_is_watched_and_has_a_queue_of_its_own() -> None:
    assert Watchdog in app.steps["worker"]
    assert own_queue("w1@here").name == "worker-w1@here"
    assert own_queue("w1@here").exchange.name == ""
