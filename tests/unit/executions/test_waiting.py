import threading

import structlog

from gateway.databases.errors import DatabaseUnreachable
from gateway.executions.waiting import FASTEST_SECONDS, IDLE_SECONDS, SLOWEST_SECONDS, Waiting
from tests.fakes.clock import FakeClock


class Ended:
    def __init__(self) -> None:
        self.ids: set[str] = set()
        self.questions: list[set[str]] = []

    def __call__(self, execution_ids: object) -> set[str]:
        self.questions.append(set(execution_ids))  # type: ignore[call-overload]
        return self.ids


def test_an_execution_that_ended_is_told_at_once() -> None:
    ended = Ended()
    ended.ids = {"e1"}
    waiting = Waiting(ended, FakeClock())
    assert waiting.wait("e1", 10) is True
    waiting.stop()


def test_a_wait_has_an_end() -> None:
    waiting = Waiting(Ended(), FakeClock())
    assert waiting.wait("e1", 0.01) is False
    waiting.stop()


def test_a_leaving_process_lets_its_waiters_go() -> None:
    ended = Ended()
    waiting = Waiting(ended, FakeClock())
    results: list[bool] = []
    thread = threading.Thread(target=lambda: results.append(waiting.wait("e1", 60)))
    thread.start()
    while {"e1"} not in ended.questions:
        pass
    waiting.release()
    thread.join(5)
    assert results == [False]
    assert waiting.wait("e2", 60) is False
    waiting.stop()


def test_nobody_waiting_means_no_questions() -> None:
    ended = Ended()
    assert Waiting(ended, FakeClock()).step() == IDLE_SECONDS
    assert ended.questions == []


def test_one_question_serves_all_waiters() -> None:
    ended = Ended()
    waiting = Waiting(ended, FakeClock())
    results: dict[str, bool] = {}
    threads = [threading.Thread(target=lambda name=name: results.update({name: waiting.wait(name, 10)})) for name in ("e1", "e2", "e3")]
    for thread in threads:
        thread.start()
    while {"e1", "e2", "e3"} not in ended.questions:
        pass
    ended.ids = {"e1", "e2", "e3"}
    for thread in threads:
        thread.join()
    assert results == {"e1": True, "e2": True, "e3": True}
    waiting.stop()


def test_while_postgresql_is_down_waiters_wait_and_nobody_logs_tracebacks() -> None:
    asked = threading.Event()

    def find_standing(_ids: object) -> set[str]:
        asked.set()
        raise DatabaseUnreachable("postgres", "It does not answer")

    waiting = Waiting(find_standing, FakeClock())
    with structlog.testing.capture_logs() as logs:
        thread = threading.Thread(target=lambda: waiting.wait("e1", 60))
        thread.start()
        assert asked.wait(10)
        assert waiting.step() == SLOWEST_SECONDS
        waiting.release()
        thread.join()
        waiting.stop()
    assert logs == []


def test_an_old_waiter_is_asked_for_seldom() -> None:
    clock, ended = FakeClock(), Ended()
    waiting = Waiting(ended, clock)
    thread = threading.Thread(target=lambda: waiting.wait("e1", 10))
    thread.start()
    while not ended.questions:
        pass
    assert waiting.step() == FASTEST_SECONDS
    clock.advance(5)
    assert waiting.step() == SLOWEST_SECONDS
    ended.ids = {"e1"}
    waiting.step()
    thread.join()
    waiting.stop()
