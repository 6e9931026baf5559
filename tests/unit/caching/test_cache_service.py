"""The chain: who serves, what a failure costs, what is never served, and how a return goes."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.caching.in_process import InProcessCache
from gateway.caching.service import MAX_VALUE_BYTES, Cache
from gateway.errors import InvalidInput, NotFound, Unavailable
from gateway.under_way import CACHE_STUCK_SECONDS
from tests.fakes.caches import BreakableCache
from tests.fakes.clock import FakeClock

REST_SECONDS = 4.0  # no rest of a failed backend is longer


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def first(clock: FakeClock) -> BreakableCache:
    return BreakableCache("dragonflydb", clock)


@pytest.fixture
def second(clock: FakeClock) -> BreakableCache:
    return BreakableCache("redis", clock)


@pytest.fixture
def cache(first: BreakableCache, second: BreakableCache, clock: FakeClock) -> Cache:
    return Cache([first, second, InProcessCache(clock)], clock)


def fail() -> bytes:
    raise Unavailable("down")


def unexpected() -> bytes:
    raise AssertionError("loaded")


def test_the_first_choice_serves_and_the_fallback_is_left_alone(cache: Cache, second: BreakableCache) -> None:
    cache.set("k", b"v", 60)
    assert cache.get("k") == b"v"
    assert cache.get_many(["k", "other"]) == {"k": b"v"}
    assert cache.served_by == "dragonflydb"
    assert second.calls == 0


def test_nobody_waits_behind_a_call_that_hangs(cache: Cache, first: BreakableCache, clock: FakeClock) -> None:
    cache.set("k", b"v", 60)
    first.answering.clear()
    first.asked.clear()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(cache.get, "k")
        assert first.asked.wait(60)
        clock.advance(CACHE_STUCK_SECONDS)
        assert cache.get("other") is None
        assert not waiting.done()
        first.answering.set()
        assert waiting.result(60) == b"v"
    assert cache.served_by == "dragonflydb"


def test_a_first_choice_that_others_doubt_is_probed_before_it_is_asked(first: BreakableCache, clock: FakeClock) -> None:
    cache = Cache([first, InProcessCache(clock)], clock)
    cache.set("k", b"v", 60)
    cache.doubt_first()
    asked = first.calls
    assert cache.get("k") == b"v"
    assert first.calls == asked
    clock.advance(REST_SECONDS)
    cache.get("k")
    assert cache.served_by == "dragonflydb"


def test_the_last_choice_cannot_be_doubted(clock: FakeClock) -> None:
    cache = Cache([InProcessCache(clock)], clock)
    cache.doubt_first()
    cache.set("k", b"v", 60)
    assert cache.get("k") == b"v"


def test_a_value_survives_the_loss_of_both_servers(cache: Cache, first: BreakableCache, second: BreakableCache) -> None:
    cache.set("k", b"v", 60)
    first.down = second.down = True
    assert cache.get("k") == b"v"
    assert cache.served_by == "in-process"


def test_a_dead_backend_is_not_called_while_it_rests(cache: Cache, first: BreakableCache) -> None:
    first.down = True
    cache.get("k")
    calls = first.calls
    for _ in range(100):
        cache.get("k")
        cache.set("k", b"v", 60)
        cache.increment("n", ttl_seconds=60)
    assert first.calls == calls


def test_only_one_caller_tries_after_the_rest(cache: Cache, first: BreakableCache, clock: FakeClock) -> None:
    first.down = True
    cache.get("k")
    clock.advance(REST_SECONDS)
    calls = first.calls
    cache.get("k")
    cache.get("k")
    assert first.calls == calls + 1


def test_a_backend_that_answers_again_is_used_within_five_seconds(cache: Cache, first: BreakableCache, clock: FakeClock) -> None:
    first.down = True
    for _ in range(50):
        cache.get("k")
        clock.advance(REST_SECONDS)
    first.down = False
    clock.advance(REST_SECONDS)
    cache.get("k")
    assert cache.served_by == "dragonflydb"


def test_a_key_that_changed_meanwhile_is_not_served_from_the_returned_backend(
    cache: Cache, first: BreakableCache, clock: FakeClock
) -> None:
    cache.set("changed", b"old", 600)
    cache.set("deleted", b"old", 600)
    first.down = True
    cache.get("any")
    cache.set("changed", b"new", 600)
    cache.delete("deleted")
    first.down = False
    clock.advance(REST_SECONDS)
    assert cache.get("changed") == b"new"
    assert cache.served_by == "dragonflydb"
    assert cache.get("deleted") is None


def test_more_changes_than_can_be_remembered_distrust_the_returned_backend(cache: Cache, first: BreakableCache, clock: FakeClock) -> None:
    cache.set("old", b"old", 600)
    first.down = True
    clock.advance(1)
    for number in range(10_001):
        cache.delete(f"{number}")
    first.down = False
    clock.advance(REST_SECONDS)
    cache.delete("x")
    assert first.get("old") is not None
    cache.set("new", b"new", 600)
    assert cache.get("new") == b"new"


def test_a_returned_backend_that_lost_its_data_does_not_send_everybody_loading(
    cache: Cache, first: BreakableCache, clock: FakeClock
) -> None:
    first.down = True
    cache.get_or_load("k", lambda: b"v", ttl_seconds=600)
    first.down = False
    clock.advance(REST_SECONDS)
    assert cache.get_or_load("k", unexpected, ttl_seconds=600).value == b"v"
    assert cache.served_by == "dragonflydb"


def test_a_value_past_its_ttl_is_not_got(cache: Cache, clock: FakeClock) -> None:
    cache.set("k", b"v", 10, stale_seconds=20)
    clock.advance(10)
    assert cache.get("k") is None
    assert cache.get_many(["k"]) == {}


def test_a_stale_value_is_served_when_loading_fails_and_says_so(cache: Cache, clock: FakeClock) -> None:
    cache.get_or_load("k", lambda: b"v", ttl_seconds=10, stale_seconds=20)
    clock.advance(15)
    cached = cache.get_or_load("k", fail, ttl_seconds=10, stale_seconds=20)
    assert (cached.value, cached.stale, cached.age_seconds, cached.source) == (b"v", True, 15.0, "dragonflydb")


@pytest.mark.parametrize("servers_down", [False, True])
def test_nobody_serves_past_the_stale_window(
    cache: Cache, first: BreakableCache, second: BreakableCache, clock: FakeClock, servers_down: bool
) -> None:
    cache.get_or_load("k", lambda: b"v", ttl_seconds=10, stale_seconds=20)
    first.down = second.down = servers_down
    clock.advance(30)
    with pytest.raises(Unavailable):
        cache.get_or_load("k", fail, ttl_seconds=10, stale_seconds=20)


def test_a_fresh_value_is_not_loaded_again(cache: Cache) -> None:
    cache.get_or_load("k", lambda: b"v", ttl_seconds=10)
    assert cache.get_or_load("k", unexpected, ttl_seconds=10).source == "dragonflydb"


def test_of_many_callers_one_loads(cache: Cache) -> None:
    started, release = threading.Event(), threading.Event()
    loads: list[int] = []

    def load() -> bytes:
        loads.append(1)
        started.set()
        assert release.wait(10)
        return b"v"

    with ThreadPoolExecutor(8) as pool:
        leader = pool.submit(cache.get_or_load, "k", load, ttl_seconds=60)
        assert started.wait(10)
        others = [pool.submit(cache.get_or_load, "k", load, ttl_seconds=60) for _ in range(7)]
        release.set()
        values = {future.result(10).value for future in [leader, *others]}
    assert values == {b"v"}
    assert len(loads) == 1


def test_while_one_loads_the_others_get_the_stale_value_at_once(cache: Cache, clock: FakeClock) -> None:
    cache.get_or_load("k", lambda: b"old", ttl_seconds=10, stale_seconds=20)
    clock.advance(15)
    started, release = threading.Event(), threading.Event()

    def load() -> bytes:
        started.set()
        assert release.wait(10)
        return b"new"

    with ThreadPoolExecutor(1) as pool:
        leader = pool.submit(cache.get_or_load, "k", load, ttl_seconds=10, stale_seconds=20)
        assert started.wait(10)
        assert cache.get_or_load("k", unexpected, ttl_seconds=10, stale_seconds=20).value == b"old"
        release.set()
        assert leader.result(10).value == b"new"


def test_a_bug_in_load_is_not_hidden_by_a_stale_value(cache: Cache, clock: FakeClock) -> None:
    cache.get_or_load("k", lambda: b"v", ttl_seconds=10, stale_seconds=20)
    clock.advance(15)
    with pytest.raises(AssertionError):
        cache.get_or_load("k", unexpected, ttl_seconds=10, stale_seconds=20)


def test_what_somebody_else_wrote_there_is_a_miss(cache: Cache, first: BreakableCache) -> None:
    first.set("k", b"not ours", 60)
    assert cache.get("k") is None


def test_a_counter_goes_on_in_the_fallback(cache: Cache, first: BreakableCache) -> None:
    assert [cache.increment("n", ttl_seconds=60), cache.increment("n", ttl_seconds=60)] == [1, 2]
    first.down = True
    assert [cache.increment("n", ttl_seconds=60), cache.increment("n", ttl_seconds=60)] == [1, 2]


def test_nobody_waits_for_the_probe_of_a_failed_backend(first: BreakableCache, clock: FakeClock) -> None:
    aside: list[Callable[[], None]] = []
    cache = Cache([first, InProcessCache(clock)], clock, aside.append)
    first.down = True
    cache.get("k")
    clock.advance(REST_SECONDS)
    calls = first.calls
    cache.get("k")
    cache.set("k", b"v", 60)
    cache.delete("k")
    assert (first.calls, len(aside)) == (calls, 1)
    first.down = False
    aside.pop()()
    assert cache.served_by == "dragonflydb"


def test_that_there_is_none_is_said_and_ends_the_copy(cache: Cache, clock: FakeClock) -> None:
    cache.get_or_load("k", lambda: b"v", ttl_seconds=10, stale_seconds=20)
    clock.advance(15)

    def gone() -> bytes:
        raise NotFound("gone")

    with pytest.raises(NotFound):
        cache.get_or_load("k", gone, ttl_seconds=10, stale_seconds=20)
    with pytest.raises(Unavailable):
        cache.get_or_load("k", fail, ttl_seconds=10, stale_seconds=20)


def test_a_wrong_question_is_not_answered_by_a_stale_value(cache: Cache, clock: FakeClock) -> None:
    cache.get_or_load("k", lambda: b"v", ttl_seconds=10, stale_seconds=20)
    clock.advance(15)

    def refuse() -> bytes:
        raise InvalidInput("wrong")

    with pytest.raises(InvalidInput):
        cache.get_or_load("k", refuse, ttl_seconds=10, stale_seconds=20)


def test_what_is_too_large_is_not_kept_and_says_so(cache: Cache) -> None:
    assert cache.set("k", b"v", 60)
    assert not cache.set("k", b"v" * (MAX_VALUE_BYTES + 1), 60)
    assert cache.get("k") is None
    assert not cache.get_or_load("k", lambda: b"v" * (MAX_VALUE_BYTES + 1), ttl_seconds=10).stored


@pytest.mark.parametrize(("load_seconds", "age_seconds"), [(10, 25.0), (16, None)])
def test_a_load_that_fails_late_leaves_what_is_still_within_its_stale_window(
    cache: Cache, clock: FakeClock, load_seconds: float, age_seconds: float | None
) -> None:
    cache.get_or_load("k", lambda: b"v", ttl_seconds=10, stale_seconds=20)
    clock.advance(15)

    def fail_late() -> bytes:
        clock.advance(load_seconds)
        raise Unavailable("down")

    if age_seconds is None:
        with pytest.raises(Unavailable):
            cache.get_or_load("k", fail_late, ttl_seconds=10, stale_seconds=20)
    else:
        assert cache.get_or_load("k", fail_late, ttl_seconds=10, stale_seconds=20).age_seconds == age_seconds
