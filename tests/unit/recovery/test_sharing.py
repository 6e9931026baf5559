"""Breakers shared among processes: each test has several processes, each with its breakers and its sharing, over one store."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.recovery.breaker import Breaker, BreakerOpen, BreakerPolicy, BreakerState
from gateway.recovery.noticed import too_slow
from gateway.recovery.registry import Breakers
from gateway.recovery.sharing import PROBES, STALE_SECONDS, TRUSTED_SECONDS, BreakerSharing
from tests.fakes.breaker_store import FakeBreakerStore
from tests.fakes.clock import FakeClock

POLICY = BreakerPolicy(minimum_calls=3, open_seconds=2.0, open_seconds_cap=8.0, jitter=0.0)
TARGET = "database:clickhouse"


class Process:
    """One process's breakers, and their sharing driven by hand."""

    def __init__(self, clock: FakeClock, store: FakeBreakerStore) -> None:
        self.breakers = Breakers(clock, POLICY)
        self.sharing = BreakerSharing(self.breakers, store, clock)

    @property
    def breaker(self) -> Breaker:
        return self.breakers.of(TARGET)

    def fail(self, times: int = POLICY.minimum_calls) -> None:
        for _ in range(times):
            self.breaker.record(self.breaker.permit(), success=False, duration_seconds=0.01)

    def succeed(self) -> None:
        self.breaker.record(self.breaker.permit(), success=True, duration_seconds=0.01)

    def call_if_let_through(self, *, success: bool) -> None:
        try:
            permit = self.breaker.permit()
        except BreakerOpen:
            return
        self.breaker.record(permit, success=success, duration_seconds=0.01)

    def is_let_through(self) -> bool:
        try:
            self.breaker.permit()
        except BreakerOpen:
            return False
        return True


class Platform:
    """Processes over one store."""

    def __init__(self, processes: int = 3) -> None:
        self.clock = FakeClock()
        self.store = FakeBreakerStore(self.clock)
        self.processes = [Process(self.clock, self.store) for _ in range(processes)]
        self.exchange()

    def exchange(self, rounds: int = 2) -> None:
        for _ in range(rounds):
            for process in self.processes:
                process.sharing.step()

    def states(self) -> list[str]:
        return [process.breaker.state().value for process in self.processes]


@pytest.fixture
def platform() -> Platform:
    return Platform()


def test_what_one_process_learned_all_know(platform: Platform) -> None:
    platform.processes[0].fail()
    platform.exchange()
    assert platform.states() == ["open"] * 3
    assert platform.processes[2].breaker.remaining_open_seconds() == pytest.approx(2.0)


def test_a_process_that_starts_later_knows_too(platform: Platform) -> None:
    platform.processes[0].fail()
    platform.exchange()
    platform.clock.advance(0.5)
    late = Process(platform.clock, platform.store)
    late.sharing.step()
    assert late.breaker.remaining_open_seconds() == pytest.approx(1.5)


def test_an_opening_that_was_over_when_a_process_started_does_not_refuse_its_first_call(platform: Platform) -> None:
    platform.processes[0].fail()
    platform.exchange()
    platform.clock.advance(2.0 + POLICY.idle_seconds)
    late = Process(platform.clock, platform.store)
    late.sharing.step()
    assert late.breaker.state() is BreakerState.HALF_OPEN
    assert late.is_let_through()


def test_a_process_that_starts_long_after_an_opening_was_over_does_not_hear_of_it(platform: Platform) -> None:
    platform.processes[0].fail()
    platform.exchange()
    platform.clock.advance(2.0 + STALE_SECONDS + 0.1)
    late = Process(platform.clock, platform.store)
    late.sharing.step()
    assert late.breaker.state() is BreakerState.CLOSED
    late.fail()
    late.sharing.step()
    assert late.breaker.state() is BreakerState.OPEN
    platform.exchange()
    assert platform.states() == ["open"] * 3


def test_all_processes_together_send_a_handful_of_probes_and_the_first_result_counts() -> None:
    platform = Platform(processes=8)
    platform.processes[0].fail()
    platform.exchange()
    platform.clock.advance(2.0)
    assert not any(process.is_let_through() for process in platform.processes)  # asked for, not leased yet
    platform.exchange()
    probes = [(process, process.is_let_through()) for process in platform.processes for _ in range(10)]
    probing = [process for process, through in probes if through]
    assert len(probing) == PROBES
    probing[0].breaker.observe(success=True, duration_seconds=0.01)
    platform.exchange()
    assert platform.states() == ["closed"] * 8


def test_a_failed_probe_opens_it_for_all_and_for_longer(platform: Platform) -> None:
    platform.processes[0].fail()
    platform.exchange()
    platform.clock.advance(2.0)
    assert not platform.processes[1].is_let_through()
    platform.exchange()
    platform.processes[1].fail(1)
    platform.exchange()
    assert platform.states() == ["open"] * 3
    assert platform.processes[2].breaker.remaining_open_seconds() == pytest.approx(4.0)


def test_an_old_opening_never_overwrites_a_newer_closing(platform: Platform) -> None:
    first, second, _ = platform.processes
    first.fail()
    platform.exchange()
    first.breaker.observe(success=True, duration_seconds=0.01)
    first.breaker.observe(success=True, duration_seconds=0.01)
    second.breaker.adopt(BreakerState.CLOSED)  # it believes so already, has not heard of the closing, and opens
    second.fail()
    first.sharing.step()
    platform.exchange()
    assert platform.states() == ["closed"] * 3


def test_hearing_for_the_first_time_that_it_is_closed_elsewhere_closes_nothing() -> None:
    platform = Platform(processes=2)
    first, second = platform.processes
    platform.store.forget()
    first, second = (Process(platform.clock, platform.store) for _ in range(2))
    first.succeed()
    second.fail()
    first.sharing.step()
    second.sharing.step()
    assert second.breaker.state() is BreakerState.OPEN
    first.sharing.step()
    assert first.breaker.state() is BreakerState.OPEN


@pytest.mark.parametrize(("act", "state"), [("force_open", "forced_open"), ("disable", "disabled")])
def test_an_operators_word_holds_everywhere_and_against_everything(platform: Platform, act: str, state: str) -> None:
    first, second, _ = platform.processes
    second.fail()  # at the same time
    getattr(first.breaker, act)()
    platform.exchange()
    assert platform.states() == [state] * 3
    platform.clock.advance(1000)
    platform.exchange()
    assert platform.states() == [state] * 3
    second.breaker.reset()
    platform.exchange()
    assert platform.states() == ["closed"] * 3


def test_without_the_store_every_process_goes_on_alone(platform: Platform) -> None:
    platform.store.down = True
    first, second, _ = platform.processes
    first.fail()
    platform.exchange()
    assert not first.sharing.connected
    assert platform.states() == ["open", "closed", "closed"]
    platform.clock.advance(max(2.0, TRUSTED_SECONDS))
    first.succeed()
    first.succeed()
    assert first.breaker.state() is BreakerState.CLOSED
    second.succeed()


def test_an_operators_word_said_without_the_store_is_told_on_its_return(platform: Platform) -> None:
    platform.store.down = True
    platform.processes[0].breaker.force_open()
    platform.exchange()
    assert platform.states() == ["forced_open", "closed", "closed"]
    platform.store.down = False
    platform.exchange()
    assert platform.states() == ["forced_open"] * 3


def test_of_two_operators_words_the_later_one_counts(platform: Platform) -> None:
    first, second, _ = platform.processes
    platform.store.down = True
    first.breaker.force_open()
    platform.exchange()
    platform.clock.advance(10)
    platform.store.down = False
    second.breaker.disable()
    second.sharing.step()
    platform.exchange()
    assert platform.states() == ["disabled"] * 3


def test_a_store_that_lost_its_memory_is_told_again(platform: Platform) -> None:
    platform.processes[0].breaker.force_open()
    platform.exchange()
    platform.store.forget()
    platform.exchange()
    late = Process(platform.clock, platform.store)
    late.sharing.step()
    assert late.breaker.state() is BreakerState.FORCED_OPEN
    assert platform.states() == ["forced_open"] * 3


def test_targets_are_announced_so_that_every_process_can_be_told_about_them(platform: Platform) -> None:
    platform.processes[0].breakers.of("service:prices")
    platform.exchange()
    assert platform.processes[2].breakers.find("service:prices") is not None


def test_the_next_exchange_comes_when_a_probe_may_be_wanted(platform: Platform) -> None:
    process = platform.processes[0]
    assert process.sharing.step() == pytest.approx(0.5)
    process.fail()
    process.sharing.step()
    platform.clock.advance(1.9)
    assert process.sharing.step() == pytest.approx(0.11)


STEPS = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["fail", "succeed", "step", "wait", "flap"])), max_size=60)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_whatever_happens_all_agree_in_the_end_and_a_good_target_is_readmitted(steps: list[tuple[int, str]]) -> None:
    platform = Platform()
    for number, action in steps:
        process = platform.processes[number]
        if action == "step":
            process.sharing.step()
        elif action == "wait":
            platform.clock.advance(0.7)
        elif action == "flap":
            platform.store.down = not platform.store.down
        else:
            process.call_if_let_through(success=action == "succeed")
    platform.store.down = False
    platform.clock.advance(POLICY.open_seconds_cap + POLICY.slow_seconds + 1)
    platform.exchange()
    for _ in range(20):
        for process in platform.processes:
            process.call_if_let_through(success=True)
        platform.clock.advance(0.5)
        platform.exchange()
    assert platform.states() == ["closed"] * 3


@pytest.mark.parametrize("act", ["force_open", "disable"])
def test_an_operator_takes_a_word_back_in_a_process_that_had_not_heard_it(platform: Platform, act: str) -> None:
    """Two requests of one operator are answered by different processes, and the second comes before the exchange."""
    getattr(platform.processes[0].breaker, act)()
    platform.processes[0].sharing.step()
    platform.clock.advance(0.1)
    platform.processes[1].breaker.reset()
    platform.exchange()
    assert platform.states() == ["closed"] * 3


def test_an_operators_word_has_no_fault_behind_it_in_any_process(platform: Platform) -> None:
    fault = too_slow(TARGET)
    platform.processes[0].breaker.observe(success=False, duration_seconds=0.1, decisive=True, fault=fault)
    platform.exchange()
    assert [process.breaker.blamed for process in platform.processes] == [fault] * 3
    platform.processes[0].breaker.force_open()
    platform.exchange()
    assert [process.breaker.blamed for process in platform.processes] == [None] * 3
