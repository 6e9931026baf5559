"""A call of a node that was cancelled meanwhile is not made again."""

from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from gateway.configuration.model import Instance, Service
from gateway.errors import GatewayError
from gateway.executions.errors import NodeNotHeld
from gateway.executions.kinds.calling import ServiceCall, ServiceCaller
from gateway.outbound.errors import UpstreamUnreachable
from tests.fakes.clock import FakeClock
from tests.fakes.upstream import FakeDirectory, FakeHttp, json_answer

T = TypeVar("T")
PRICES = Service("prices", "healthy", (Instance("127.0.0.1", 9000),))


class TwiceAtMost:
    """A recovery that repeats a failed call once."""

    def run(self, _target: str, attempt: Callable[[float], T], *, timeout_seconds: float, **_: Any) -> T:
        try:
            return attempt(timeout_seconds)
        except GatewayError:
            return attempt(timeout_seconds)


def call(http: FakeHttp, *, is_wanted: bool) -> object:
    wanted = ServiceCall("POST", lambda _: "/", {}, None, 1.0, check=lambda _: None, is_wanted=lambda: is_wanted)
    return ServiceCaller(FakeDirectory(), http, FakeClock(), TwiceAtMost()).call(PRICES, wanted)


def failing_once() -> FakeHttp:
    return FakeHttp(answers=[UpstreamUnreachable("It broke", sent=True), json_answer("second")])


def test_a_cancelled_nodes_call_is_not_repeated() -> None:
    http = failing_once()
    with pytest.raises(NodeNotHeld):
        call(http, is_wanted=False)
    assert len(http.sent) == 1


def test_any_other_is_repeated() -> None:
    http = failing_once()
    call(http, is_wanted=True)
    assert len(http.sent) == 2


def test_the_first_call_asks_nobody() -> None:
    http = FakeHttp()
    call(http, is_wanted=False)
    assert len(http.sent) == 1
