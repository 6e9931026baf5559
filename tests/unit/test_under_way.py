"""Calls that did not return yet."""

import pytest

from gateway.under_way import UnderWay
from tests.fakes.clock import FakeClock


def test_they_are_stuck_while_the_oldest_lasts_too_long() -> None:
    clock = FakeClock()
    under_way = UnderWay(clock.monotonic, stuck_seconds=2)
    assert (under_way.count(), under_way.is_stuck) == (0, False)
    with under_way.call() as began:
        clock.advance(1)
        assert clock.monotonic() - began == 1
        with under_way.call():
            assert (under_way.count(), under_way.is_stuck) == (2, False)
            clock.advance(1)
            assert (under_way.count(), under_way.is_stuck) == (2, True)
        assert (under_way.count(), under_way.is_stuck) == (1, True)
    assert (under_way.count(), under_way.is_stuck) == (0, False)


def test_calls_that_began_later_are_not_stuck_yet_when_the_oldest_ended() -> None:
    clock = FakeClock()
    under_way = UnderWay(clock.monotonic, stuck_seconds=2)
    first, second = under_way.call(), under_way.call()
    first.__enter__()
    clock.advance(2)
    second.__enter__()
    assert under_way.is_stuck
    first.__exit__(None, None, None)
    assert not under_way.is_stuck
    second.__exit__(None, None, None)


def test_a_call_that_raises_has_ended() -> None:
    under_way = UnderWay(FakeClock().monotonic, stuck_seconds=2)
    with pytest.raises(OSError, match="gone"), under_way.call():
        raise OSError("gone")
    assert under_way.count() == 0


def test_a_call_that_does_more_than_wait_is_judged_by_its_wait() -> None:
    clock = FakeClock()
    under_way, waited = UnderWay(clock.monotonic, stuck_seconds=2), [0.0]
    with under_way.call(lambda: waited[0]):
        clock.advance(60)
        assert not under_way.is_stuck
        waited[0] = 2.0
        assert under_way.is_stuck
