"""Of many who ask for the same at once, one asks (that the others share its answer: test_cache_service.py)."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.caching.flights import Flights
from tests.fakes.clock import FakeClock


class Slow:
    """A call that ends when the test lets it."""

    def __init__(self) -> None:
        self.began, self.may_end = threading.Event(), threading.Event()

    def __call__(self) -> str:
        self.began.set()
        assert self.may_end.wait(30)
        return "answer"


def test_after_an_error_the_next_one_asks_again() -> None:
    flights: Flights[str, str] = Flights(30, FakeClock())
    with pytest.raises(ZeroDivisionError):
        flights.run("key", lambda: str(1 // 0))
    assert flights.run("key", lambda: "answer") == "answer"


def test_the_wait_counts_from_the_start_of_the_first() -> None:
    clock = FakeClock()
    flights: Flights[str, str] = Flights(30, clock)
    slow = Slow()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(flights.run, "key", slow)
        assert slow.began.wait(30)
        clock.advance(31)
        with pytest.raises(TimeoutError):
            flights.run("key", lambda: "another")
        slow.may_end.set()
        assert first.result() == "answer"
