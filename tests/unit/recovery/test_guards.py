"""How databases reach their breakers: by the house's calls, by callers' reads, and by the poller's looks."""

from collections.abc import Callable
from contextlib import ExitStack

import pytest

from gateway.databases.errors import DatabasePoolExhausted, DatabaseTimeout, DatabaseUnreachable, StatementTooSlow
from gateway.databases.model import DatabaseName, ResultSet, StatusError
from gateway.databases.observing import Look
from gateway.recovery.breaker import BreakerState
from gateway.recovery.classify import classify
from gateway.recovery.decide import decide
from gateway.recovery.guards import DOUBT_SECONDS, FEW, SILENT_SECONDS, SPARE_THREADS, STUCK_SECONDS, DatabaseGuards
from gateway.recovery.immediate import ImmediateRecovery
from gateway.recovery.model import FaultType, Strategy
from gateway.recovery.registry import Breakers
from gateway.recovery.targets import DatabaseBreakerOpen
from tests.fakes.clock import FakeClock

NAME = DatabaseName.CLICKHOUSE
THREADS = 5


class Stopwatch:
    """Of a thread that waits for the database now, or does something else."""

    waiting = 0.0

    def __call__(self) -> float:
        return 0.0

    def waiting_seconds(self) -> float:
        return self.waiting


class Bench:
    """ClickHouse's breaker and what leads to it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.breakers = Breakers(self.clock, roll=lambda: 0.0)
        self.guards = DatabaseGuards(self.breakers, self.clock, THREADS)
        self.asked_to_look: list[DatabaseName] = []
        self.guards.looker = self
        self.looking = 0.0
        self.read = self.guards.reading(ImmediateRecovery(self.breakers, self.clock, sleep=self.clock.advance, roll=lambda: 0.5))

    def look_soon(self, name: DatabaseName) -> None:
        self.asked_to_look.append(name)

    def looking_seconds(self, name: str) -> float:
        return self.looking if name == NAME else 0.0

    @property
    def state(self) -> str:
        return self.guards.state(NAME)

    def look(self, code: str | None = None) -> None:
        error = StatusError("x", code, "x") if code else None
        self.guards.saw(NAME, Look(self.clock.now(), error, latency_ms=5.0, usable=code is None))

    def wait_in_vain(self, seconds: float, vendor_code: str | None = None, half_way: Callable[[], None] = lambda: None) -> None:
        def wait() -> None:
            with self.guards.around(NAME):
                self.clock.advance(seconds / 2)
                half_way()
                self.clock.advance(seconds / 2)
                raise DatabaseTimeout(NAME, "x", vendor_code=vendor_code)

        with pytest.raises(DatabaseTimeout):
            wait()

    def be_answered(self) -> None:
        with self.guards.around(NAME):
            pass

    def fail(self, times: int) -> None:
        for _ in range(times):
            with pytest.raises(DatabaseUnreachable), self.guards.around(NAME):
                raise DatabaseUnreachable(NAME, "x")


def test_a_database_that_was_never_called_is_closed() -> None:
    assert Bench().state == "closed"


def test_the_houses_calls_open_it_and_then_are_not_made() -> None:
    bench = Bench()
    bench.fail(5)
    with pytest.raises(DatabaseBreakerOpen), bench.guards.around(NAME):
        pytest.fail("was called")
    assert bench.breakers.find("database:redis") is None


def test_two_bad_looks_open_it_and_two_good_ones_readmit_it_without_traffic() -> None:
    bench = Bench()
    states = []
    for code in ("DATABASE_TIMEOUT", "DATABASE_TIMEOUT", None, None):
        bench.look(code)
        states.append(bench.state)
        bench.clock.advance(0.5)
    assert states == ["closed", "open", "half_open", "closed"]


def test_a_call_that_waited_in_vain_asks_for_a_look_and_that_one_decides() -> None:
    bench = Bench()
    assert not bench.guards.doubts(NAME)
    bench.wait_in_vain(2.0)
    assert (bench.asked_to_look, bench.guards.doubts(NAME), bench.state) == ([NAME], True, "closed")
    bench.look("DATABASE_TIMEOUT")
    assert bench.state == "open"


def test_while_it_is_doubted_a_few_may_wait_and_the_others_are_refused() -> None:
    bench = Bench()
    with ExitStack() as stack:
        for _ in range(FEW):
            stack.enter_context(bench.guards.around(NAME))
        bench.wait_in_vain(2.0)  # not doubted when it began
        with pytest.raises(DatabaseBreakerOpen), bench.guards.around(NAME):
            pytest.fail("was called")
        with bench.guards.around(DatabaseName.WEAVIATE):
            pass  # another one's users do not notice
        bench.look()
        with bench.guards.around(NAME):
            pass
    bench.wait_in_vain(2.0)
    with bench.guards.around(NAME):
        pass  # one may try although it is doubted


def test_blocks_that_do_something_else_for_long_are_no_calls_that_hang() -> None:
    """The relay sends to the broker within a transaction: PostgreSQL is not to blame for its length."""
    bench, watch = Bench(), Stopwatch()
    with ExitStack() as busy:
        for _ in range(THREADS):
            busy.enter_context(bench.guards.around(NAME, watch))
            bench.clock.advance(1.0)
        assert bench.asked_to_look == []
        watch.waiting = 0.3
        with pytest.raises(DatabasePoolExhausted):
            busy.enter_context(bench.guards.around(NAME, watch))
    assert bench.asked_to_look == [NAME]


def test_calls_that_are_stuck_ask_for_a_look_and_one_that_is_stuck_too_keeps_further_calls_out() -> None:
    bench = Bench()
    with ExitStack() as stack:
        stack.enter_context(bench.guards.around(NAME))
        bench.clock.advance(STUCK_SECONDS)
        assert bench.asked_to_look == []
        stack.enter_context(bench.guards.around(NAME))
        assert bench.asked_to_look == [NAME]
        stack.enter_context(bench.guards.around(NAME))  # slow statements alone keep nobody out
        bench.looking = SILENT_SECONDS
        with pytest.raises(DatabaseBreakerOpen), bench.guards.around(NAME):
            pytest.fail("was called")
    assert bench.state == "closed"


def test_some_threads_never_wait_for_a_database_that_all_others_wait_for() -> None:
    bench = Bench()
    most = THREADS - SPARE_THREADS
    with ExitStack() as stack:
        for _ in range(most):
            stack.enter_context(bench.guards.around(NAME))
        with bench.guards.around(NAME):
            pass  # all are quick: nobody is kept out
        bench.clock.advance(STUCK_SECONDS)
        with pytest.raises(DatabasePoolExhausted), bench.guards.around(NAME):
            pytest.fail("was called")
        assert bench.asked_to_look == [NAME]
        with bench.guards.around(DatabaseName.WEAVIATE):
            pass
    with bench.guards.around(NAME):
        pass
    assert bench.state == "closed"


def test_one_call_that_waits_long_keeps_nobody_out_while_others_are_answered() -> None:
    bench = Bench()
    with ExitStack() as stack:
        stack.enter_context(bench.guards.around(NAME))  # for a lock
        bench.clock.advance(STUCK_SECONDS)
        with bench.guards.around(NAME):
            pass
        for _ in range(THREADS - SPARE_THREADS):
            stack.enter_context(bench.guards.around(NAME))
        bench.clock.advance(STUCK_SECONDS)
        with pytest.raises(DatabasePoolExhausted), bench.guards.around(NAME):
            pytest.fail("was called")


def test_a_blip_opens_nothing() -> None:
    bench = Bench()
    bench.wait_in_vain(2.0)
    bench.look()  # it answers again
    bench.look("DATABASE_TIMEOUT")
    bench.look()
    assert (bench.state, bench.guards.doubts(NAME)) == ("closed", False)


def test_a_restart_opens_nothing_although_calls_and_a_look_meet_broken_connections() -> None:
    bench = Bench()
    bench.fail(2)
    bench.look("DATABASE_CONNECTION_ERROR")
    assert (bench.state, bench.asked_to_look) == ("closed", [])
    bench.look()
    assert bench.state == "closed"


def test_a_deadline_of_a_moment_and_a_statement_that_the_server_ended_ask_for_no_look() -> None:
    bench = Bench()
    bench.wait_in_vain(0.1)
    bench.wait_in_vain(2.0, "57014")
    assert (bench.asked_to_look, bench.guards.doubts(NAME)) == ([], False)


def test_doubts_end_where_nobody_looks_too() -> None:
    bench = Bench()
    bench.wait_in_vain(2.0)
    bench.clock.advance(DOUBT_SECONDS)
    assert not bench.guards.doubts(NAME)


def test_a_call_that_waited_since_before_its_return_brings_no_doubt_back() -> None:
    bench = Bench()
    bench.wait_in_vain(2, half_way=bench.look)
    assert (bench.asked_to_look, bench.guards.doubts(NAME)) == ([NAME], False)
    bench.wait_in_vain(2, half_way=bench.be_answered)
    assert not bench.guards.doubts(NAME)
    bench.wait_in_vain(2)
    assert bench.guards.doubts(NAME)


def test_a_bad_look_is_doubted_until_a_good_one() -> None:
    bench = Bench()
    bench.look("DATABASE_CONNECTION_ERROR")
    bench.clock.advance(60)
    assert bench.guards.doubts(NAME)
    bench.look()
    assert not bench.guards.doubts(NAME)


def test_a_callers_read_that_waited_in_vain_asks_for_a_look_too() -> None:
    bench = Bench()

    def hung(seconds: float) -> ResultSet:
        bench.clock.advance(seconds)
        raise DatabaseTimeout(NAME, "x")

    with pytest.raises(DatabaseTimeout):
        bench.read(NAME, hung, 2.0)
    assert bench.asked_to_look == [NAME]


def test_a_look_that_found_no_connection_says_nothing() -> None:
    bench = Bench()
    for _ in range(10):
        bench.look(DatabasePoolExhausted.code)
    assert bench.state == "closed"
    assert bench.breakers.find(f"database:{NAME}") is None


def test_a_callers_read_is_repeated_when_the_server_was_gone() -> None:
    bench, errors = Bench(), [DatabaseUnreachable(NAME, "x")]

    def read(_left: float) -> ResultSet:
        if errors:
            raise errors.pop()
        return ResultSet(("a",), ((1,),))

    assert bench.read(NAME, read, 5.0).rows == ((1,),)


def test_a_callers_slow_statements_do_not_shut_others_out() -> None:
    bench = Bench()

    def slow(seconds: float) -> ResultSet:
        bench.clock.advance(seconds)
        raise DatabaseTimeout(NAME, "x", vendor_code="159")

    for _ in range(10):
        with pytest.raises(StatementTooSlow) as raised:
            bench.read(NAME, slow, 30.0)
    assert bench.breakers.of(f"database:{NAME}").state() is BreakerState.CLOSED
    fault = classify(raised.value)
    assert (fault.type, fault.target, fault.retryable) == (FaultType.TIMEOUT, None, False)
    assert decide(fault).strategy is Strategy.NONE, "a database that is well needs no recovery"


def test_a_hung_server_is_noticed_by_callers_reads_too() -> None:
    bench = Bench()

    def hung(seconds: float) -> ResultSet:
        bench.clock.advance(seconds)
        raise DatabaseTimeout(NAME, "x")

    for _ in range(5):
        with pytest.raises(DatabaseTimeout):
            bench.read(NAME, hung, 2.0)
    with pytest.raises(DatabaseBreakerOpen):
        bench.read(NAME, hung, 2.0)


def test_what_the_poller_saw_is_what_refused_calls_speak_of() -> None:
    bench = Bench()
    for _ in range(2):
        bench.look("DATABASE_CONNECTION_ERROR")
    with pytest.raises(DatabaseBreakerOpen) as refused, bench.guards.around(NAME):
        pass
    cause = classify(refused.value).underlying
    assert (cause.type, cause.source, cause.target, cause.refused) == (FaultType.DATABASE_CONNECTION, NAME, f"database:{NAME}", False)
