"""When a service that failed is asked again."""

import threading

from gateway.configuration.cooldown import Cooldown
from tests.fakes.clock import FakeClock


def test_admits_everybody_while_nothing_failed() -> None:
    cooldown = Cooldown(FakeClock())
    assert all(cooldown.admits() for _ in range(10))
    assert cooldown.remaining_seconds == 0


def test_admits_nobody_after_a_failure_and_one_when_the_time_is_up() -> None:
    clock = FakeClock()
    cooldown = Cooldown(clock, first_seconds=1, cap_seconds=8)
    cooldown.failed()
    assert not cooldown.admits()
    assert cooldown.remaining_seconds == 1
    clock.advance(1)
    assert [cooldown.admits() for _ in range(3)] == [True, False, False]


def test_a_probe_that_never_reports_does_not_close_the_door_for_ever() -> None:
    clock = FakeClock()
    cooldown = Cooldown(clock, first_seconds=1, cap_seconds=8)
    cooldown.failed()
    clock.advance(1)
    assert cooldown.admits()
    clock.advance(8)
    assert cooldown.admits()


def test_waits_twice_as_long_after_each_failure_up_to_the_cap() -> None:
    clock = FakeClock()
    cooldown = Cooldown(clock, first_seconds=1, cap_seconds=8)
    waits = []
    for _ in range(6):
        cooldown.failed()
        waits.append(cooldown.remaining_seconds)
    assert waits == [1, 2, 4, 8, 8, 8]


def test_one_success_opens_it_for_everybody() -> None:
    clock = FakeClock()
    cooldown = Cooldown(clock)
    for _ in range(100):
        cooldown.failed()
    cooldown.succeeded()
    assert all(cooldown.admits() for _ in range(10))
    cooldown.failed()
    assert cooldown.remaining_seconds == 0.5


def test_only_one_of_many_threads_is_admitted_as_the_probe() -> None:
    clock = FakeClock()
    cooldown = Cooldown(clock, first_seconds=1)
    cooldown.failed()
    clock.advance(1)
    admitted: list[bool] = []
    threads = [threading.Thread(target=lambda: admitted.append(cooldown.admits())) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(admitted) == 1
