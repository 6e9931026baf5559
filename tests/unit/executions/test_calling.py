"""Calling a service: by its breaker, to another instance when one refuses, again when that is harmless."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.configuration.errors import ConfigurationUnavailable
from gateway.configuration.model import Instance, Service
from gateway.errors import GatewayError
from gateway.executions.errors import AnswerUnexpected, ServiceOverloaded
from gateway.executions.kinds.call import check_status
from gateway.executions.kinds.calling import AVOID_SECONDS, ServiceCall, ServiceCaller
from gateway.outbound.answer import Answer
from gateway.outbound.errors import UpstreamUnreachable
from gateway.recovery.breaker import BreakerOpen, BreakerState
from gateway.recovery.immediate import ImmediateRecovery
from gateway.recovery.model import Action
from gateway.recovery.policy import RecoveryPolicy, policy_allowing
from gateway.recovery.registry import Breakers
from tests.fakes.clock import FakeClock
from tests.fakes.upstream import FakeHttp, json_answer

TARGET = "service:prices"
REFUSED = UpstreamUnreachable("x", sent=False)
BROKE = UpstreamUnreachable("x", sent=True)


class Directory:
    """Instances of one service, each in turn; `now` is what the registry would say when asked anew."""

    def __init__(self, *ports: int) -> None:
        self.service = Service("prices", "healthy", tuple(Instance("127.0.0.1", port) for port in ports))
        self.now: Service | GatewayError = self.service
        self.turn = 0

    def choose_instance(self, service: Service) -> Instance:
        self.turn += 1
        return service.instances[(self.turn - 1) % len(service.instances)]

    def rediscover(self, name: str) -> Service:
        if isinstance(self.now, GatewayError):
            raise self.now
        return self.now


class Bench:
    """A caller over fakes."""

    def __init__(self, *ports: int, policy: RecoveryPolicy | None = None) -> None:
        self.clock = FakeClock()
        self.breakers = Breakers(self.clock)
        self.http = FakeHttp()
        self.directory = Directory(*ports)
        recovery = ImmediateRecovery(self.breakers, self.clock, policy=policy, sleep=self.clock.advance, roll=lambda: 0.5)
        self.caller = ServiceCaller(self.directory, self.http, self.clock, recovery)  # type: ignore[arg-type]  # the part it uses

    def call(self, *answers: Answer | Exception, method: str = "POST", **changes: Any) -> Answer:
        self.http.sent.clear()
        self.http.answers = list(answers)
        call = ServiceCall(
            method=method,
            path=lambda _: "/today",
            headers={"Idempotency-Key": "e1:fetch"},
            body=b"{}",
            timeout_seconds=10.0,
            check=lambda answer: check_status(answer, "prices", range(200, 300), self.clock.now()),
        )
        return self.caller.call(self.directory.service, replace(call, **changes))

    def ports(self) -> list[int]:
        return [int(sent.url.split(":")[2].split("/")[0]) for sent in self.http.sent]


def test_an_instance_that_refuses_is_passed_over_for_a_while() -> None:
    bench = Bench(9001, 9002)
    assert bench.call(REFUSED, json_answer({})).status == 200
    assert bench.ports() == [9001, 9002]
    for _ in range(3):
        bench.call(json_answer({}))
        assert bench.ports() == [9002]
    bench.clock.advance(AVOID_SECONDS)
    ports = [bench.call(json_answer({})) and bench.ports()[0] for _ in range(2)]
    assert sorted(ports) == [9001, 9002]
    assert bench.breakers.of(TARGET).snapshot().calls == 6  # the service served every time


def test_when_nobody_else_is_known_the_service_is_discovered_anew() -> None:
    bench = Bench(9001)
    bench.directory.now = replace(bench.directory.service, instances=(Instance("127.0.0.1", 9001), Instance("127.0.0.1", 9009)))
    bench.call(REFUSED, json_answer({}))
    assert bench.ports() == [9001, 9009]


@pytest.mark.parametrize("now", [None, ConfigurationUnavailable("x")])
def test_without_another_instance_it_is_tried_again_and_then_given_up(now: GatewayError | None) -> None:
    bench = Bench(9001)
    bench.directory.now = now or bench.directory.now
    with pytest.raises(UpstreamUnreachable):
        bench.call(REFUSED)
    assert bench.ports() == [9001] * 3


def test_an_instance_that_cannot_take_the_call_is_no_alternative() -> None:
    bench = Bench(9001, 9002)
    with pytest.raises(UpstreamUnreachable):
        bench.call(REFUSED, fits=lambda instance: instance.port == 9001, method="PATCH")
    assert 9002 not in bench.ports()[:1]


def test_a_connection_that_broke_may_have_delivered_so_only_what_is_idempotent_goes_again() -> None:
    bench = Bench(9001, 9002)
    bench.call(BROKE, json_answer({}))
    assert len(bench.http.sent) == 2
    with pytest.raises(UpstreamUnreachable):
        bench.call(BROKE, json_answer({}), method="PATCH")
    assert len(bench.http.sent) == 1


def test_an_overloaded_service_is_asked_again_unless_it_names_a_longer_time() -> None:
    bench = Bench(9001)
    bench.call(json_answer({}, status=503), json_answer({}))
    assert len(bench.http.sent) == 2
    with pytest.raises(ServiceOverloaded):
        bench.call(json_answer({}, status=503, Retry_After="7"), json_answer({}))
    assert len(bench.http.sent) == 1


def test_a_call_of_a_flow_that_allows_one_attempt_reaches_one_instance_once() -> None:
    bench = Bench(9001, 9002)
    for failing in (json_answer({}, status=503), BROKE):
        with pytest.raises((ServiceOverloaded, UpstreamUnreachable)):
            bench.call(failing, json_answer({}), may_repeat=False)
        assert len(bench.http.sent) == 1
    assert bench.call(REFUSED, json_answer({}), may_repeat=False).status == 200, "nothing of the first was sent"


def test_a_service_that_keeps_failing_is_not_called_for_a_moment() -> None:
    bench = Bench(9001)
    for _ in range(2):
        with pytest.raises(UpstreamUnreachable):
            bench.call(BROKE)
    assert bench.breakers.of(TARGET).state() is BreakerState.OPEN
    with pytest.raises(BreakerOpen) as refused:
        bench.call(json_answer({}))
    assert bench.http.sent == []
    assert 0 < (refused.value.retry_after_seconds or 0) <= 1.0


def test_of_several_instances_that_refuse_the_first_that_does_not_gets_the_call() -> None:
    bench = Bench(9001, 9002, 9003)
    assert bench.call(REFUSED, REFUSED, json_answer({}), method="PATCH").status == 200
    assert bench.ports() == [9001, 9002, 9003]
    assert bench.caller._recovery.taken() == {Action.REDISCOVER_SERVICE: 2}  # type: ignore[attr-defined]
    assert bench.breakers.of(TARGET).snapshot().calls == 1  # the service served: nothing speaks against it


def test_an_idempotent_call_that_one_instance_could_not_serve_goes_to_another() -> None:
    bench = Bench(9001, 9002)
    assert bench.call(json_answer({}, status=503), json_answer({})).status == 200
    assert bench.ports() == [9001, 9002]
    with pytest.raises(ServiceOverloaded):
        bench.call(json_answer({}, status=503), json_answer({}), method="PATCH")
    assert len(bench.ports()) == 1


def test_what_every_instance_would_answer_alike_is_asked_of_one() -> None:
    bench = Bench(9001, 9002)
    with pytest.raises(AnswerUnexpected):
        bench.call(json_answer({}, status=404))
    assert bench.ports() == [9001]


def test_another_instance_is_asked_only_where_the_policy_allows_it() -> None:
    bench = Bench(9001, 9002, policy=policy_allowing(()))
    with pytest.raises(UpstreamUnreachable):
        bench.call(REFUSED, json_answer({}))
    assert bench.ports() == [9001]
