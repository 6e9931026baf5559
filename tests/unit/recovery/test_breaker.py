"""The breaker: opens on rates, probes a little, is always readmitted, and an operator's word stands."""

import itertools
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.databases.errors import DatabaseAuthenticationFailed, DatabaseUnreachable, StatementInvalid
from gateway.recovery.breaker import (
    RELAPSE_SECONDS,
    WATCHED_SECONDS,
    Breaker,
    BreakerOpen,
    BreakerPolicy,
    BreakerState,
    Permit,
    counts_as_failure,
)
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


def test_a_probe_that_is_slow_has_failed_before_it_ends() -> None:
    clock = FakeClock()
    breaker = breaker_with(clock)
    open_it(breaker)
    clock.advance(1.0)
    probe = breaker.permit()
    clock.advance(POLICY.slow_seconds + 0.1)
    assert breaker.state() is BreakerState.OPEN
    clock.advance(2.0)
    breaker.record(probe, success=False, duration_seconds=9)
    call(breaker)
    call(breaker)
    assert breaker.state() is BreakerState.CLOSED


def test_a_probe_that_said_nothing_gives_its_place_back() -> None:
    clock = FakeClock()
    breaker = breaker_with(clock)
    open_it(breaker)
    clock.advance(1.0)
    for _ in range(5):
        breaker.forget(breaker.permit())
    assert breaker.state() is BreakerState.HALF_OPEN


def test_a_good_health_probe_readmits_an_open_target_without_traffic() -> None:
    breaker = breaker_with(FakeClock())
    open_it(breaker)
    breaker.observe(success=False, duration_seconds=0.1)
    breaker.observe(success=True, duration_seconds=5.0)
    assert breaker.state() is BreakerState.OPEN
    breaker.observe(success=True, duration_seconds=0.1)
    assert breaker.state() is BreakerState.HALF_OPEN
    breaker.observe(success=True, duration_seconds=0.1)
    assert breaker.state() is BreakerState.CLOSED


def test_while_somebody_looks_no_call_is_spent_on_probing() -> None:
    clock = FakeClock()
    breaker = breaker_with(clock)
    open_it(breaker)
    breaker.observe(success=False, duration_seconds=2.0)
    clock.advance(1.0)
    assert breaker.state() is BreakerState.HALF_OPEN
    with pytest.raises(BreakerOpen):
        breaker.permit()
    breaker.lease_probes(100.0)
    assert not breaker.wants_probe()
    clock.advance(WATCHED_SECONDS)  # nobody looks any more
    with pytest.raises(BreakerOpen):
        breaker.permit()  # however long it was watched: the others may probe by now, so a grant is needed
    assert breaker.wants_probe()
    breaker.grant_probe()
    call(breaker)
    assert breaker.state() is BreakerState.CLOSED


def test_one_that_looks_well_and_fails_again_at_once_is_not_believed_for_longer_and_longer() -> None:
    clock = FakeClock()
    breaker = breaker_with(clock)
    waits = []
    for _ in range(5):
        open_it(breaker)
        waits.append(breaker.remaining_open_seconds())
        while breaker.state() is not BreakerState.CLOSED:
            breaker.observe(success=True, duration_seconds=0.01)
            clock.advance(breaker.remaining_open_seconds())
    assert waits == [1, 2, 4, 8, 8]
    clock.advance(RELAPSE_SECONDS)
    open_it(breaker)
    assert breaker.remaining_open_seconds() == 1


def test_bad_health_probes_open_it_and_count_nothing_against_an_operators_word() -> None:
    breaker = breaker_with(FakeClock())
    for _ in range(POLICY.minimum_calls):
        breaker.observe(success=False, duration_seconds=0.1)
    assert breaker.state() is BreakerState.OPEN
    breaker.force_open()
    breaker.observe(success=True, duration_seconds=0.1)
    assert breaker.state() is BreakerState.FORCED_OPEN


def test_with_leases_a_probe_needs_a_grant_and_one_that_succeeds_closes() -> None:
    clock = FakeClock()
    breaker = breaker_with(clock)
    open_it(breaker)
    clock.advance(1.0)
    breaker.lease_probes(2.0)
    assert breaker.wants_probe()
    with pytest.raises(BreakerOpen):
        breaker.permit()
    breaker.grant_probe()
    assert not breaker.wants_probe()
    probe = breaker.permit()
    with pytest.raises(BreakerOpen):
        breaker.permit()
    breaker.record(probe, success=True, duration_seconds=0.1)
    assert breaker.state() is BreakerState.CLOSED


def test_only_a_process_that_was_asked_wants_a_probe() -> None:
    clock = FakeClock()
    breaker = breaker_with(clock)
    breaker.adopt(BreakerState.OPEN, remaining_seconds=1.0, streak=1)
    clock.advance(1.0)
    breaker.lease_probes(2.0)
    assert not breaker.wants_probe()
    with pytest.raises(BreakerOpen):
        breaker.permit()
    assert breaker.wants_probe()


@pytest.mark.parametrize(("lease", "wait"), [(1.0, 1.0), (1000.0, POLICY.idle_seconds)])
def test_without_the_one_who_grants_or_when_calls_are_rare_it_probes_by_itself(lease: float, wait: float) -> None:
    clock = FakeClock()
    breaker = breaker_with(clock)
    open_it(breaker)
    clock.advance(1.0)
    breaker.lease_probes(lease)
    with pytest.raises(BreakerOpen):
        breaker.permit()
    clock.advance(wait)
    call(breaker)
    call(breaker)
    assert breaker.state() is BreakerState.CLOSED


def test_what_others_saw_is_adopted() -> None:
    clock = FakeClock()
    breaker = breaker_with(clock)
    breaker.adopt(BreakerState.OPEN, remaining_seconds=3.0, streak=4)
    assert breaker.remaining_open_seconds() == pytest.approx(3)
    clock.advance(3.0)
    call(breaker, success=False)
    assert breaker.remaining_open_seconds() == pytest.approx(8)
    breaker.adopt(BreakerState.CLOSED)
    call(breaker)
    breaker.adopt(BreakerState.OPEN)
    assert breaker.state() is BreakerState.HALF_OPEN


def test_a_guard_inside_a_guard_is_the_same_call() -> None:
    breaker = breaker_with(FakeClock())
    with breaker.guard(), breaker.guard():
        pass
    with pytest.raises(DatabaseUnreachable), breaker.guard(), breaker.guard():
        raise DatabaseUnreachable("clickhouse", "x")
    assert breaker.snapshot().calls == 2


def test_a_guard_may_be_timed_by_a_stopwatch_of_its_own() -> None:
    clock = FakeClock()
    breaker = breaker_with(clock)
    for _ in range(POLICY.minimum_calls):
        with breaker.guard(stopwatch=lambda: 0.0):
            clock.advance(100)
    assert breaker.state() is BreakerState.CLOSED


def test_a_block_that_never_called_the_target_is_no_probe_that_succeeded() -> None:
    clock = FakeClock()
    breaker = breaker_with(clock)
    open_it(breaker)
    clock.advance(1.0)
    for _ in range(2 * POLICY.half_open_permits):
        with breaker.guard(stopwatch=lambda: 7.0):
            clock.advance(0.01)
    assert breaker.state() is BreakerState.HALF_OPEN
    with pytest.raises(DatabaseUnreachable), breaker.guard(stopwatch=lambda: 7.0):
        raise DatabaseUnreachable("clickhouse", "refused before anything was waited for")
    assert breaker.state() is BreakerState.OPEN


def test_an_opening_that_was_over_long_ago_waits_for_no_lease() -> None:
    clock = FakeClock()
    breaker = breaker_with(clock)
    breaker.lease_probes(1000.0)
    breaker.adopt(BreakerState.OPEN, remaining_seconds=-POLICY.idle_seconds, streak=3)
    call(breaker)
    call(breaker)
    assert breaker.state() is BreakerState.CLOSED


def test_listeners_hear_every_change_and_cannot_harm() -> None:
    clock = FakeClock()
    breakers = Breakers(clock, POLICY, roll=lambda: 0.0)
    heard: list[tuple[str, str, str]] = []

    def broken(*_: object) -> None:
        raise ValueError

    breakers.listen(broken)
    breakers.listen(lambda change: heard.append((change.target, change.old.value, change.new.value)))
    breaker = breakers.of("database:clickhouse")
    open_it(breaker)
    clock.advance(1.0)
    call(breaker)
    call(breaker)
    changes = ["closed", "open", "half_open", "closed"]
    assert heard == [("database:clickhouse", old, new) for old, new in itertools.pairwise(changes)]


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
        self.clock.advance(POLICY.open_seconds_cap)
        self.breaker.state()  # a probe that never ended has failed
        self.clock.advance(POLICY.open_seconds_cap)
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
