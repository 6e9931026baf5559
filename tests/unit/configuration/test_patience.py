"""A service that hangs costs one caller the whole wait; a service that is slow, or answers with an error, costs nobody an answer."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.clock import SystemClock
from gateway.configuration.errors import ConfigurationUnavailable
from gateway.configuration.patience import COOL_DOWN_SECONDS, SHORT_SECONDS, Patience
from gateway.errors import UpstreamTimeout
from tests.doubles.raw_server import RawServer, read_request
from tests.fakes.clock import FakeClock
from tests.fakes.configuration_room import build_room

LIMIT_SECONDS = 2.0


@dataclass
class Caller:
    """A patience, and calls that end as told."""

    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.patience = Patience(self.clock)

    def ask(self, *, during: Callable[[], Any] = lambda: None, answered: bool = True, status: int = 0, hurry: bool = True) -> float:
        """The seconds that the call was given."""
        with self.patience.turn(LIMIT_SECONDS, hurry=hurry) as seconds:
            during()
            if status:
                raise ConfigurationUnavailable("busy", status=status)
            if not answered:
                raise ConfigurationUnavailable("too slow") from UpstreamTimeout("too slow")
        return seconds

    def hang(self) -> None:
        with pytest.raises(ConfigurationUnavailable, match="too slow"):
            self.ask(answered=False)

    def is_refused(self) -> bool:
        try:
            self.ask()
        except ConfigurationUnavailable as error:
            return error.sent is False
        return False


@pytest.fixture
def caller() -> Caller:
    return Caller()


def test_beside_another_call_a_read_may_take_a_short_time_only(caller: Caller) -> None:
    given: list[float] = []
    given.append(caller.ask(during=lambda: given.extend([caller.ask(), caller.ask(hurry=False)])))
    assert given == [SHORT_SECONDS, LIMIT_SECONDS, LIMIT_SECONDS]
    assert caller.ask() == LIMIT_SECONDS


def test_after_one_call_without_an_answer_nobody_asks_for_a_while(caller: Caller) -> None:
    caller.hang()
    caller.clock.advance(COOL_DOWN_SECONDS - 0.1)
    assert caller.is_refused()
    caller.clock.advance(0.2)
    assert not caller.is_refused()


def test_after_the_cool_down_one_caller_at_a_time_finds_out(caller: Caller) -> None:
    caller.hang()
    caller.clock.advance(COOL_DOWN_SECONDS)
    refused: list[bool] = []
    caller.ask(during=lambda: refused.append(caller.is_refused()))
    assert refused == [True]
    caller.ask(during=lambda: refused.append(caller.is_refused()))
    assert refused == [True, False], "it answered: nothing is suspected any more"


def test_a_slow_call_beside_answered_ones_raises_no_suspicion(caller: Caller) -> None:
    def another() -> None:
        caller.clock.advance(0.1)
        caller.ask()

    with pytest.raises(ConfigurationUnavailable, match="too slow"):
        caller.ask(during=another, answered=False)
    assert not caller.is_refused()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_error_is_an_answer(caller: Caller, status: int) -> None:
    with pytest.raises(ConfigurationUnavailable, match="busy"):
        caller.ask(status=status)
    assert not caller.is_refused()


def test_a_probe_that_is_answered_ends_the_suspicion(caller: Caller) -> None:
    caller.hang()
    with caller.patience.watch():
        assert caller.is_refused()
    assert not caller.is_refused()


@pytest.fixture
def hung() -> Iterator[RawServer]:
    """Accepts, reads, and says nothing."""

    def never(sock: Any) -> None:
        while read_request(sock):
            pass

    with RawServer(never) as server:
        yield server


def test_of_many_callers_of_every_endpoint_one_waits(hung: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(build_room(hung.url, SystemClock(), wait_seconds=SHORT_SECONDS, CONFIG_SERVICE_TIMEOUT_SECONDS="2")) as room:
        calls: list[Callable[[], Any]] = [
            *(lambda key=f"k{number}": room.configuration.get_value(key) for number in range(4)),
            room.services.list_services,
            lambda: room.services.discover("prices"),
            lambda: room.flows.get_flow("prices"),
        ]
        given: list[float] = []
        request = room.http.request

        def note(*arguments: Any, timeout_seconds: float, **more: Any) -> Any:
            given.append(timeout_seconds)
            return request(*arguments, timeout_seconds=timeout_seconds, **more)

        monkeypatch.setattr(room.http, "request", note)

        def refused(call: Callable[[], Any]) -> None:
            with pytest.raises(ConfigurationUnavailable):
                call()

        threads = [threading.Thread(target=refused, args=(call,)) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sum(seconds > SHORT_SECONDS for seconds in given) == 1
        given.clear()
        for call in calls:
            refused(call)
        assert given == [], "nobody waits while it rests"
