"""Where the rate limit counts: a Redis-protocol server in one round trip, or this process's memory while that server is away.

A request never waits for a dead server: the first failure sends every count to memory, and a thread of its own
asks until the server answers again. Nor does it wait behind another request that waits. Counts made meanwhile stay
in memory: a client gets at most one window more.
Source: https://limits.readthedocs.io/en/stable/custom-storage.html
"""

import threading
import time
from collections.abc import Callable

import structlog
from limits.storage import RedisStorage, Storage

from gateway.background import BackgroundLoop
from gateway.under_way import CACHE_STUCK_SECONDS, UnderWay

log = structlog.get_logger(__name__)

SCHEME = "gateway-limits"
MAX_CLIENTS_IN_MEMORY = 50_000
TIMEOUT_SECONDS = 0.1  # of one wait: a server that is slower than that costs every request more than its count is worth
PROBE_SECONDS = 1.0
IDLE_SECONDS = 3600.0
# The window starts with its first request; the answer carries the time left, so that the headers cost no second round trip.
COUNT = b"""
local count = redis.call('INCRBY', KEYS[1], ARGV[2])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1] * 1000); left = ARGV[1] * 1000 end
return {count, left}
"""


def nobody_listens() -> None:
    """Where nobody wants to hear that the server is lost."""


class Windows:
    """Fixed windows in this process, bounded: the oldest are forgotten first."""

    def __init__(self, max_clients: int = MAX_CLIENTS_IN_MEMORY) -> None:
        self._max_clients = max_clients
        self._windows: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def count(self, key: str, expiry_seconds: int, amount: int) -> tuple[int, float]:
        """Count and tell (count, time of the window's end)."""
        now = time.time()
        with self._lock:
            count, ends_at = self._windows.get(key, (0, 0.0))
            if ends_at <= now:
                count, ends_at = 0, now + expiry_seconds
                self._windows.pop(key, None)
            self._windows[key] = (count + amount, ends_at)
            while len(self._windows) > self._max_clients:
                del self._windows[next(iter(self._windows))]
            return self._windows[key]

    def find(self, key: str) -> tuple[int, float]:
        """(count, end) without counting; (0, now) when there is no window."""
        now = time.time()
        count, ends_at = self._windows.get(key, (0, now))
        return (count, ends_at) if ends_at > now else (0, now)

    def clear(self, key: str | None = None) -> None:
        """Forget one key, or all."""
        with self._lock:
            if key is None:
                self._windows.clear()
            else:
                self._windows.pop(key, None)


class LimiterStore(Storage):
    """What Flask-Limiter counts with. `incr` never raises because of the server, and waits for it at most once per outage and thread."""

    STORAGE_SCHEME = [SCHEME]  # noqa: RUF012 - the library's own declaration

    def __init__(
        self,
        uri: str,
        *,
        redis_url: str = "",
        timeout_seconds: float = TIMEOUT_SECONDS,
        on_lost: Callable[[], None] = nobody_listens,
        monotonic: Callable[[], float] = time.monotonic,
        **_: object,
    ) -> None:
        super().__init__(uri)
        self._on_lost = on_lost
        self._memory = Windows()
        self._last = threading.local()  # the window this thread counted last: the headers of the same request read it
        self._server = _server(redis_url, timeout_seconds) if redis_url else None
        self._script = self._server.get_connection().register_script(COUNT) if self._server else None
        self._failures: tuple[type[Exception], ...] = (*_as_tuple(self.base_exceptions), OSError)
        self._under_way = UnderWay(monotonic, CACHE_STUCK_SECONDS)
        self._up = threading.Event()
        self._up.set()
        self._prober = BackgroundLoop("limiter-probe", self._probe, retry_seconds=PROBE_SECONDS)

    @property
    def base_exceptions(self) -> type[Exception] | tuple[type[Exception], ...]:
        return self._server.base_exceptions if self._server else ValueError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count `amount` for this key; its window of `expiry` seconds starts with the first."""
        window = self._count_on_server(key, expiry, amount) or self._memory.count(key, expiry, amount)
        self._last.key, self._last.window = key, window
        return window[0]

    def get(self, key: str) -> int:
        return self._window(key)[0]

    def get_expiry(self, key: str) -> float:
        """Epoch seconds of the window's end."""
        return self._window(key)[1]

    def check(self) -> bool:
        """Whether the server counts; true without one."""
        return self._up.is_set()

    def reset(self) -> int | None:
        self._memory.clear()
        return None

    def clear(self, key: str) -> None:
        self._memory.clear(key)
        if self._server and self._up.is_set():
            self._server.clear(key)

    def fall_back(self, error: BaseException) -> None:
        """The server failed: count in memory, and ask it in the background until it answers."""
        if self._up.is_set():
            self._up.clear()
            log.warning("limiter_store_lost", error=type(error).__name__, fallback="memory")
            self._on_lost()
        self._prober.start()
        self._prober.wake()

    def wait_until_back(self, timeout_seconds: float) -> bool:
        """Wait until the server counts again; False when it does not in time."""
        return self._up.wait(timeout_seconds)

    def close(self) -> None:
        """End the asking and close the connections."""
        self._prober.stop()
        if self._server is not None:
            self._server.storage.connection_pool.disconnect()

    def _window(self, key: str) -> tuple[int, float]:
        if getattr(self._last, "key", None) == key:
            window: tuple[int, float] = self._last.window
            return window
        return self._memory.find(key)

    def _count_on_server(self, key: str, expiry: int, amount: int) -> tuple[int, float] | None:
        if self._server is None or self._script is None or not self._up.is_set() or self._under_way.is_stuck:
            return None
        try:
            with self._under_way.call():
                count, left_ms = self._script([self._server.prefixed_key(key)], [expiry, amount])
        except self._failures as error:
            self.fall_back(error)
            return None
        return int(count), time.time() + int(left_ms) / 1000

    def _probe(self) -> float:
        """One question to the server; returns the seconds until the next."""
        if self._server is None or self._up.is_set():
            return IDLE_SECONDS
        if not self._server.check():
            return PROBE_SECONDS
        self._up.set()
        log.info("limiter_store_returned")
        return IDLE_SECONDS


def _as_tuple(kinds: type[Exception] | tuple[type[Exception], ...]) -> tuple[type[Exception], ...]:
    return kinds if isinstance(kinds, tuple) else (kinds,)


def _server(redis_url: str, timeout_seconds: float) -> RedisStorage:
    """The library's client; built from a URL it retries nothing (redis-py: Connection without `retry`), which a test holds it to."""
    return RedisStorage(
        redis_url,
        key_prefix="gateway:limits",
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        max_connections=64,
    )
