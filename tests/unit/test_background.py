"""A background loop outlives its failures and stops when asked."""

import threading

import pytest

from gateway.background import BackgroundLoop


def test_a_step_that_raises_is_called_again() -> None:
    calls: list[int] = []
    second = threading.Event()

    def step() -> float:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("first try")
        second.set()
        return 60

    loop = BackgroundLoop("test", step, retry_seconds=0)
    loop.start()
    assert second.wait(5)
    loop.stop()


def test_wake_ends_the_wait() -> None:
    steps = threading.Semaphore(0)

    def step() -> float:
        steps.release()
        return 3600

    loop = BackgroundLoop("test", step)
    loop.start()
    assert steps.acquire(timeout=5)
    loop.wake()
    assert steps.acquire(timeout=5)
    loop.stop()


@pytest.mark.parametrize("starts", [1, 2])
def test_stop_leaves_no_thread_however_often_it_was_started(starts: int) -> None:
    loop = BackgroundLoop("only-of-this-test", lambda: 3600.0)
    for _ in range(starts):
        loop.start()
    loop.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "only-of-this-test"]
