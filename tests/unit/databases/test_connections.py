"""The pool of connections for a driver that brings none, and what is one in each process."""

import os
import threading

import pytest

from gateway.databases.connections import Connections, PoolExhausted
from gateway.databases.process_local import ProcessLocal


class Connection:
    """A connection that knows whether it is open."""

    def __init__(self) -> None:
        self.open = True

    def close(self) -> None:
        self.open = False


@pytest.fixture
def opened() -> list[Connection]:
    return []


@pytest.fixture
def pool(opened: list[Connection]) -> Connections[Connection]:
    def open_one(_timeout_seconds: float) -> Connection:
        opened.append(Connection())
        return opened[-1]

    return Connections(open_one, Connection.close, lambda connection: connection.open, limit=2, wait_seconds=0.05)


def test_a_connection_is_used_again(pool: Connections[Connection], opened: list[Connection]) -> None:
    for _ in range(3):
        with pool.one(1.0):
            pass
    assert len(opened) == 1
    assert (pool.stats().in_use, pool.stats().idle) == (0, 1)


def test_one_that_the_server_closed_is_not(pool: Connections[Connection], opened: list[Connection]) -> None:
    with pool.one(1.0):
        pass
    opened[0].open = False
    with pool.one(1.0) as connection:
        assert connection is opened[1]


def test_a_block_that_raises_closes_its_connection(pool: Connections[Connection], opened: list[Connection]) -> None:
    with pytest.raises(ZeroDivisionError), pool.one(1.0):
        raise ZeroDivisionError
    assert not opened[0].open
    assert (pool.stats().in_use, pool.stats().idle) == (0, 0)


def test_more_than_the_limit_wait_and_are_counted(pool: Connections[Connection]) -> None:
    with pool.one(1.0), pool.one(1.0), pytest.raises(PoolExhausted), pool.one(1.0):
        pass
    assert (pool.stats().in_use, pool.stats().limit, pool.stats().waits) == (0, 2, 1)


def test_who_waits_gets_the_one_that_comes_back(opened: list[Connection]) -> None:
    pool = Connections(lambda _: Connection(), Connection.close, lambda connection: connection.open, limit=1, wait_seconds=10)
    got: list[Connection] = []

    def wait() -> None:
        with pool.one(1.0) as connection:
            got.append(connection)

    with pool.one(1.0) as first:
        thread = threading.Thread(target=wait)
        thread.start()
    thread.join(10)
    assert got == [first]


def test_an_opening_that_fails_gives_its_place_back(opened: list[Connection]) -> None:
    def fail(_timeout_seconds: float) -> Connection:
        raise OSError

    pool = Connections(fail, Connection.close, lambda connection: connection.open, limit=1, wait_seconds=0.05)
    for _ in range(3):
        with pytest.raises(OSError), pool.one(1.0):  # noqa: PT011 - the one that `fail` raises
            pass
    assert pool.stats().in_use == 0


def test_closing_closes_the_idle_ones(pool: Connections[Connection], opened: list[Connection]) -> None:
    with pool.one(1.0):
        pass
    pool.close()
    assert not opened[0].open
    assert pool.stats().idle == 0


def test_a_child_builds_its_own_and_leaves_its_parents_alone() -> None:
    local = ProcessLocal(Connection)
    parents = local.get()
    child = os.fork()
    if child == 0:
        own = local.find() is None and local.get() is not parents
        os._exit(0 if own and parents.open else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert local.get() is parents


def test_a_fork_while_another_thread_builds_does_not_stop_the_child() -> None:
    building, release = threading.Event(), threading.Event()

    def build() -> int:
        if threading.current_thread() is not threading.main_thread():
            building.set()
            release.wait(10)
        return os.getpid()

    local = ProcessLocal(build)
    thread = threading.Thread(target=local.get)
    thread.start()
    assert building.wait(10)
    child = os.fork()
    if child == 0:
        os._exit(0 if local.get() == os.getpid() else 1)
    release.set()
    thread.join(10)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_build_that_fails_is_tried_again() -> None:
    outcomes = iter([OSError(), None])

    def build() -> str:
        outcome = next(outcomes)
        if outcome:
            raise outcome
        return "built"

    local = ProcessLocal(build)
    with pytest.raises(OSError):  # noqa: PT011 - the one above
        local.get()
    assert local.get() == "built"
    assert local.take() == "built"
    assert local.find() is None
