"""Breakers of several real processes over a real server."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from embedded.redis import EmbeddedRedis
from gateway.recovery.sharing import PROBES
from tests.fakes.breaker_process import BreakerProcess

PROCESSES = 4
THREADS = 8


def soon(holds: Callable[[], bool]) -> None:
    """Ask until it holds."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


@pytest.fixture
def breaker_processes(redis_url: str) -> Iterator[list[BreakerProcess]]:
    with ExitStack() as stack:
        processes = [BreakerProcess(redis_url) for _ in range(PROCESSES)]
        for process in processes:
            stack.callback(process.end)
        soon(lambda: all(process.ask("shared") for process in processes))
        yield processes


def states(processes: list[BreakerProcess]) -> set[str]:
    return {process.ask("state") for process in processes}


def test_an_opening_is_known_everywhere_and_probes_are_few(breaker_processes: list[BreakerProcess]) -> None:
    breaker_processes[0].ask("fail", 3)
    soon(lambda: states(breaker_processes) <= {"open", "half_open"})
    soon(lambda: states(breaker_processes) == {"half_open"})
    with ThreadPoolExecutor(PROCESSES) as pool:
        sent = list(pool.map(lambda process: process.ask("hammer", THREADS, 0.9, 1.2), breaker_processes))
    assert 1 <= sum(sent) <= PROBES
    soon(lambda: states(breaker_processes) == {"closed"})


@pytest.mark.parametrize(("act", "state"), [("force_open", "forced_open"), ("disable", "disabled")])
def test_an_operators_word_is_known_everywhere(breaker_processes: list[BreakerProcess], act: str, state: str) -> None:
    breaker_processes[1].ask("act", act)
    soon(lambda: states(breaker_processes) == {state})
    breaker_processes[2].ask("act", "reset")
    soon(lambda: states(breaker_processes) == {"closed"})


def test_without_the_server_each_process_goes_on_alone_and_together_again_when_it_is_back(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path)
    server.start()
    with ExitStack() as stack:
        stack.callback(server.remove)
        first, second = (BreakerProcess(server.url) for _ in range(2))
        stack.callback(first.end)
        stack.callback(second.end)
        soon(lambda: first.ask("shared") and second.ask("shared"))
        server.stop()
        soon(lambda: not first.ask("shared") and not second.ask("shared"))
        first.ask("fail", 3)
        first.ask("act", "force_open")
        assert (first.ask("state"), second.ask("state")) == ("forced_open", "closed")
        server.start()
        soon(lambda: second.ask("state") == "forced_open")
