"""Whatever fails and returns in between: nothing past its time is served, and nothing older than what was written last."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.caching.in_process import InProcessCache
from gateway.caching.service import Cache
from gateway.errors import Unavailable
from tests.fakes.caches import BreakableCache
from tests.fakes.clock import FakeClock

STALE_SECONDS = 5
STEPS = ["set", "set", "delete", "get", "get", "get_many", "load", "take first", "give first", "take second", "give second", "wait", "wait"]


class Walk:
    """A chain of three, and what it was last told of each key: value, written at, TTL in seconds."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.backends = {"first": BreakableCache("dragonflydb", self.clock), "second": BreakableCache("redis", self.clock)}
        self.cache = Cache([*self.backends.values(), InProcessCache(self.clock)], self.clock)
        self.told: dict[str, tuple[bytes, float, int]] = {}

    def step(self, kind: str, key: str, number: int) -> None:
        now = self.clock.now().timestamp()
        if kind == "set":
            self.told[key] = (f"{len(self.told)} {now} {number}".encode(), now, number)
            self.cache.set(key, self.told[key][0], number, stale_seconds=STALE_SECONDS)
        elif kind == "delete":
            self.cache.delete(key)
            self.told.pop(key, None)
        elif kind == "get":
            self.check(key, self.cache.get(key), now, 0)
        elif kind == "get_many":
            self.check(key, self.cache.get_many(["a", "b"]).get(key), now, 0)
        elif kind == "load":
            self.load(key, now)
        elif kind == "wait":
            self.clock.advance(number / 4)
        else:
            self.backends[kind.split()[1]].down = kind.startswith("take")

    def load(self, key: str, now: float) -> None:
        def fails() -> bytes:
            raise Unavailable("The source is away")

        try:
            found = self.cache.get_or_load(key, fails, ttl_seconds=1)
        except Unavailable:
            return
        self.check(key, found.value, now, STALE_SECONDS)

    def check(self, key: str, value: bytes | None, now: float, stale_seconds: int) -> None:
        if value is not None:
            told, written_at, ttl_seconds = self.told[key]
            assert value == told
            assert now < written_at + ttl_seconds + stale_seconds


@settings(max_examples=1000)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from("ab"), st.integers(1, 20)), min_size=10, max_size=40))
def test_nothing_old_is_served_whatever_fails_and_returns(steps: list[tuple[str, str, int]]) -> None:
    walk = Walk()
    for kind, key, number in steps:
        walk.step(kind, key, number)
