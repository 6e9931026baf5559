"""The breaker: opens on rates, probes a little, is always readmitted, and an operator's word stands."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.databases.errors import DatabaseAuthenticationFailed, DatabaseUnreachable, StatementInvalid
from gateway.recovery.breaker import Breaker, BreakerOpen, BreakerPolicy, BreakerState, Permit, counts_as_failure
from gateway.recovery.registry import TARGET_LIMIT, BreakerNotFound, Breakers
from tests.fakes.clock import FakeClock

POLICY = BreakerPolicy(
    window_calls=10,
    minimum_calls=4,
    failure_rate=0.5,
    slow_rate=0.8,
    slow_seconds=1.0,
    open_seconds=1.0,
    open_seconds_cap=8.0,
    half_open_permits=2,
)


def breaker_with(clock: FakeClock, roll: float = 0.0) -> Breaker:
    return Breaker("database:clickhouse", clock, POLICY, lambda: roll)


def call(breaker: Breaker, *, success: bool = True, seconds: float = 0.01) -> None:
    breaker.record(breaker.permit(), success=success, duration_seconds=seconds)


def open_it(breaker: Breaker) -> None:
    for _ in range(POLICY.minimum_calls):
        call(breaker, success=False)


def test_it_stays_closed_below_the_minimum_of_calls() -> None:
    breaker = breaker_with(FakeClock())
    for _ in range(POLICY.minimum_calls - 1):
        call(breaker, success=False)
    assert breaker.state() is BreakerState.CLOSED
    assert breaker.snapshot().failure_rate is None


def test_it_opens_at_the_failure_rate_and_says_how_long() -> None:
    clock = FakeClock()
    breaker = breaker_with(clock)
    open_it(breaker)
    assert breaker.state() is BreakerState.OPEN
    clock.advance(0.4)
    assert breaker.remaining_open_seconds() == pytest.approx(0.6)
    with pytest.raises(BreakerOpen) as refused:
        breaker.permit()
    assert refused.value.retry_after_seconds == pytest.approx(0.6)


def test_a_success_never_opens_it() -> None:
    breaker = breaker_with(FakeClock())
    for _ in range(POLICY.minimum_calls - 1):
        call(breaker, success=False)
    call(breaker)
    assert breaker.state() is BreakerState.CLOSED


def test_old_calls_leave_the_window() -> None:
    breaker = breaker_with(FakeClock())
    for _ in range(POLICY.window_calls):
        call(breaker)
    for _ in range(4):
        call(breaker, success=False)
    assert breaker.snapshot().failure_rate == pytest.approx(0.4)
    assert breaker.state() is BreakerState.CLOSED


def test_slow_calls_open_it_too() -> None:
    breaker = breaker_with(FakeClock())
    for _ in range(4):
        call(breaker, seconds=1.5)
    assert breaker.state() is BreakerState.OPEN


def test_half_open_lets_a_few_probes_through_and_closes_when_all_succeed() -> None:
    clock = FakeClock()
    breaker = breaker_with(clock)
    open_it(breaker)
    clock.advance(1.0)
    first, second = breaker.permit(), breaker.permit()
    with pytest.raises(BreakerOpen):
        breaker.permit()
    breaker.record(first, success=True, duration_seconds=0.1)
    assert breaker.state() is BreakerState.HALF_OPEN
    breaker.record(second, success=True, duration_seconds=0.1)
    assert breaker.state() is BreakerState.CLOSED


def test_a_failed_or_slow_probe_opens_it_for_twice_as_long_up_to_the_cap() -> None:
    clock = FakeClock()
    breaker = breaker_with(clock)
    open_it(breaker)
    waits = []
    for turn in range(6):
        waits.append(breaker.remaining_open_seconds())
        clock.advance(waits[-1])
        call(breaker, success=turn % 2 == 0, seconds=5.0)
    assert waits == pytest.approx([1, 2, 4, 8, 8, 8])


def test_jitter_only_shortens() -> None:
    clock = FakeClock()
    breaker = breaker_with(clock, roll=1.0)
    open_it(breaker)
    assert breaker.remaining_open_seconds() == pytest.approx(0.7)


def test_a_probe_that_never_reports_gives_its_permit_back() -> None:
    clock = FakeClock()
    breaker = breaker_with(clock)
    open_it(breaker)
    clock.advance(1.0)
    breaker.permit(), breaker.permit()
    clock.advance(POLICY.probe_seconds)
    call(breaker)
    call(breaker)
    assert breaker.state() is BreakerState.CLOSED


def test_a_report_from_before_the_last_change_says_nothing() -> None:
    clock = FakeClock()
    breaker = breaker_with(clock)
    late = breaker.permit()
    open_it(breaker)
    clock.advance(1.0)
    probe = breaker.permit()
    breaker.record(late, success=False, duration_seconds=9)
    assert breaker.state() is BreakerState.HALF_OPEN
    breaker.record(probe, success=True, duration_seconds=0.1)


def test_an_operators_word_stands_until_reset() -> None:
    clock = FakeClock()
    breaker = breaker_with(clock)
    breaker.force_open()
    clock.advance(10_000)
    with pytest.raises(BreakerOpen):
        breaker.permit()
    breaker.disable()
    for _ in range(20):
        call(breaker, success=False)
    assert breaker.state() is BreakerState.DISABLED
    breaker.reset()
    assert breaker.state() is BreakerState.CLOSED
    assert breaker.snapshot().calls == 0


def test_guard_counts_what_speaks_against_the_target() -> None:
    breaker = breaker_with(FakeClock())
    for error in (StatementInvalid("clickhouse", "x"), DatabaseUnreachable("clickhouse", "x")):
        with pytest.raises(type(error)), breaker.guard():
            raise error
    with breaker.guard():
        pass
    assert breaker.snapshot().calls == 3
    assert counts_as_failure(DatabaseAuthenticationFailed("clickhouse", "x"))
    assert not counts_as_failure(BreakerOpen("database:clickhouse", 1))
    assert counts_as_failure(ValueError())
    assert not counts_as_failure(KeyboardInterrupt())


def test_the_lock_is_free_while_the_call_runs() -> None:
    breaker = breaker_with(FakeClock())
    done = threading.Event()

    def other() -> None:
        call(breaker)
        done.set()

    with breaker.guard():
        thread = threading.Thread(target=other)
        thread.start()
        assert done.wait(5)
        thread.join()


def test_the_registry_makes_one_breaker_per_target_and_is_bounded() -> None:
    breakers = Breakers(FakeClock(), overrides={"database:redis": BreakerPolicy(open_seconds=9)})
    assert breakers.of("database:redis") is breakers.of("database:redis")
    with pytest.raises(BreakerNotFound):
        breakers.get("service:never-called")
    for number in range(TARGET_LIMIT + 5):
        breakers.of(f"service:{number}")
    assert len(breakers.snapshot()) == TARGET_LIMIT


class BreakerMachine(RuleBasedStateMachine):
    """Whatever is called in whatever order: probes stay few, rates stay rates, and time always readmits."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.breaker = breaker_with(self.clock, roll=0.5)
        self.permits: list[Permit] = []
        self.waits: list[float] = []

    @rule()
    def ask(self) -> None:
        try:
            self.permits.append(self.breaker.permit())
        except BreakerOpen as refused:
            self.waits.append(refused.retry_after_seconds or 0)

    @precondition(lambda self: self.permits)
    @rule(success=st.booleans(), seconds=st.floats(0, 5), index=st.integers(0, 100))
    def report(self, success: bool, seconds: float, index: int) -> None:
        self.breaker.record(self.permits.pop(index % len(self.permits)), success=success, duration_seconds=seconds)

    @rule(seconds=st.floats(0, 40))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @invariant()
    def numbers_make_sense(self) -> None:
        seen = self.breaker.snapshot()
        assert 0 <= seen.calls <= POLICY.window_calls
        for rate in (seen.failure_rate, seen.slow_rate):
            assert rate is None or 0 <= rate <= 1
        assert 0 <= seen.remaining_open_seconds <= POLICY.open_seconds_cap
        assert (seen.remaining_open_seconds > 0) <= (seen.state is BreakerState.OPEN)

    @invariant()
    def a_refusal_names_a_wait(self) -> None:
        assert all(wait > 0 for wait in self.waits)

    @invariant()
    def probes_stay_few(self) -> None:
        if self.breaker.state() is BreakerState.HALF_OPEN:
            assert len(self.breaker._probes) <= POLICY.half_open_permits

    def teardown(self) -> None:
        self.clock.advance(POLICY.open_seconds_cap + POLICY.probe_seconds)
        for _ in range(POLICY.half_open_permits):
            call(self.breaker)
        assert self.breaker.state() is BreakerState.CLOSED


TestBreakerMachine = BreakerMachine.TestCase


@given(st.lists(st.booleans(), min_size=POLICY.minimum_calls, max_size=30))
def test_it_never_opens_below_both_rates(outcomes: list[bool]) -> None:
    breaker = breaker_with(FakeClock())
    window: list[bool] = []
    for success in outcomes:
        call(breaker, success=success)
        window = [*window, success][-POLICY.window_calls :]
        bad = not success and len(window) >= POLICY.minimum_calls and window.count(False) / len(window) >= POLICY.failure_rate
        assert (breaker.state() is BreakerState.OPEN) == bad
        if bad:
            return
