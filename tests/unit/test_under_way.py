"""Calls that did not return yet."""

import pytest

from gateway.under_way import UnderWay
from tests.fakes.clock import FakeClock


def test_the_oldest_call_under_way_is_known_until_it_ends() -> None:
    clock = FakeClock()
    under_way = UnderWay(clock.monotonic)
    assert (under_way.count(), under_way.oldest_seconds()) == (0, 0.0)
    with under_way.call() as began:
        clock.advance(2)
        assert clock.monotonic() - began == 2
        with under_way.call():
            assert (under_way.count(), under_way.oldest_seconds()) == (2, 2.0)
        assert (under_way.count(), under_way.oldest_seconds()) == (1, 2.0)
    assert (under_way.count(), under_way.oldest_seconds()) == (0, 0.0)


def test_a_call_that_raises_has_ended() -> None:
    under_way = UnderWay(FakeClock().monotonic)
    with pytest.raises(OSError, match="gone"), under_way.call():
        raise OSError("gone")
    assert under_way.count() == 0
