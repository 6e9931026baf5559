"""The Cache role: DragonflyDB, then Redis, then this process. What the gateway calls when it says cache.

A value is never served past its TTL plus the stale window it was stored with, whoever serves it. The in-process copy is written
along with the server's, so that losing the server does not mean starting cold.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import structlog

from config.settings import Settings
from gateway.background import run_aside
from gateway.caching.dragonfly import DragonflyCache
from gateway.caching.flights import Flights
from gateway.caching.in_process import InProcessCache
from gateway.caching.link import Link
from gateway.caching.model import LOADED, Cached, Entry, unpack
from gateway.caching.ports import CacheBackend
from gateway.caching.redis import RedisCache
from gateway.clock import Clock
from gateway.databases.dragonflydb import DragonflyDB
from gateway.databases.errors import DatabaseError
from gateway.databases.process_local import ProcessLocal
from gateway.databases.redis import Redis
from gateway.errors import GatewayError, InvalidInput, NotFound, Unavailable, UpstreamTimeout

log = structlog.get_logger(__name__)
T = TypeVar("T")

LOAD_WAIT_SECONDS = 30.0
MAX_VALUE_BYTES = 512 * 1024  # a larger one is not kept: it would take the room of hundreds, and time on the wire
PROBE_KEY = "probe"


def at_once(job: Callable[[], None]) -> None:
    """Probe in the caller's own time: for tests."""
    job()


class Cache:
    """Callers never see a backend fail: a value is there or it is not.

    A backend that failed costs nobody anything: until it answers a probe, which goes on aside, it is left alone. One that hangs costs
    those few their time who asked before it was noticed.

    Two things make a return quiet. Keys that changed while a backend was away are deleted there before it is read again, and what it
    does not hold is looked for in its fallbacks, for a while, before anybody loads it.
    """

    def __init__(self, backends: Sequence[CacheBackend], clock: Clock, aside: Callable[[Callable[[], None]], None] = at_once) -> None:
        """`backends`: first choice first; the last one is in this process and never fails. `aside`: runs what nobody waits for."""
        self._clock = clock
        self._aside = aside
        self._backends = tuple(backends)
        # Both hold locks, which a fork would copy as they are held at that moment.
        self._own_links = ProcessLocal(lambda: [Link(backend, clock) for backend in backends])
        self._own_flights: ProcessLocal[Flights[str, Cached]] = ProcessLocal(lambda: Flights(LOAD_WAIT_SECONDS, clock))

    @property
    def _links(self) -> list[Link]:
        return self._own_links.get()

    @property
    def served_by(self) -> str:
        """The backend that would be asked now."""
        return next((link.backend.name for link in self._links if not link.is_down), self._links[-1].backend.name)

    def get(self, key: str) -> bytes | None:
        """The value while it is fresh; None after that."""
        found = self._find(key)
        return found[0].value if found and found[0].fresh_until > self._now() else None

    def get_many(self, keys: Iterable[str]) -> Mapping[str, bytes]:
        """The fresh values among the keys."""
        wanted = list(keys)
        for link in self._admitting():
            stored = self._try(link, lambda backend: backend.get_many(wanted))
            if stored is not None:
                entries = {key: link.trusted(unpack(value)) for key, value in stored.items()}
                return {key: entry.value for key, entry in entries.items() if entry and entry.fresh_until > self._now()}
        return {}

    def set(self, key: str, value: bytes, ttl_seconds: float, *, stale_seconds: float = 0.0) -> bool:
        """Store for `ttl_seconds`; for `stale_seconds` more, `get_or_load` may serve it when nothing newer can be had.

        Returns:
            whether it was kept: a value above MAX_VALUE_BYTES is not, and what stood in its place is gone.
        """
        if len(value) > MAX_VALUE_BYTES:
            self.delete(key)
            return False
        now = self._now()
        packed = Entry(value, now, now + ttl_seconds).packed()
        self._write(key, lambda backend: backend.set(key, packed, ttl_seconds + stale_seconds))
        return True

    def delete(self, key: str) -> None:
        """Remove it everywhere; where that cannot be done now, before that backend is read again."""
        for link in self._links:
            if not self._is_usable(link) or self._try(link, lambda backend: backend.delete_many([key])) is None:
                link.remember(key)

    def increment(self, key: str, amount: int = 1, *, ttl_seconds: float) -> int:
        """Add to a counter, whose time starts with its first increment. A counter begins anew in another backend."""
        for link in self._admitting():
            count = self._try(link, lambda backend: backend.increment(key, amount, ttl_seconds))
            if count is not None:
                return count
        return self._links[-1].backend.increment(key, amount, ttl_seconds)

    def get_or_load(self, key: str, load: Callable[[], bytes], *, ttl_seconds: float, stale_seconds: float = 0.0) -> Cached:
        """The fresh value, else what `load` gives, else the stale one. Of many callers in a process one loads.

        Raises:
            whatever `load` raises, when there is no value within its stale window either; that there is none (NotFound) or that the
                question is wrong (InvalidInput) in any case.
            UpstreamTimeout: another thread's load of the same key takes too long.
        """
        found = self._find(key)
        known = self._cached(*found) if found else None
        if known and (not known.stale or self._own_flights.get().is_under_way(key)):
            return known
        try:
            return self._own_flights.get().run(key, lambda: self._load(key, load, ttl_seconds, stale_seconds))
        except NotFound:
            self.delete(key)
            raise
        except GatewayError as error:
            if found is None or isinstance(error, InvalidInput) or found[0].fresh_until + stale_seconds <= self._now():
                raise
            kept = self._cached(*found)  # as old as it is by now: the load took its time
            log.warning("stale_value_served", key=key, age_seconds=kept.age_seconds, error=type(error).__name__)
            return kept
        except TimeoutError as error:
            raise UpstreamTimeout("The value is still being loaded") from error

    def doubt_first(self) -> None:
        """Somebody else asked the first choice in vain: no caller waits for it until it answers a probe."""
        if len(self._links) > 1:
            self._note_failure(self._links[0], "doubted")

    def close(self) -> None:
        """Let go of every connection; the next call opens another."""
        for backend in self._backends:
            backend.close()

    def _load(self, key: str, load: Callable[[], bytes], ttl_seconds: float, stale_seconds: float) -> Cached:
        value = load()
        stored = self.set(key, value, ttl_seconds, stale_seconds=stale_seconds)
        return Cached(value, 0.0, stale=False, source=LOADED, stored=stored)

    def _find(self, key: str) -> tuple[Entry, str] | None:
        """The entry and who holds it. The first that answers decides; one that just returned has its misses looked for behind it."""
        for link in self._admitting():
            stored = self._try(link, lambda backend: backend.get(key) or b"")
            entry = link.trusted(unpack(stored)) if stored else None
            if entry:
                return entry, link.backend.name
            if stored is not None and not link.returned_lately():
                return None
        return None

    def _cached(self, entry: Entry, source: str) -> Cached:
        now = self._now()
        return Cached(entry.value, max(0.0, now - entry.written_at), entry.fresh_until <= now, source)

    def _write(self, key: str, write: Callable[[CacheBackend], None]) -> None:
        """Write to the first that takes it and to this process's own copy. One before it, that missed it, must forget its older value."""

        def written(backend: CacheBackend) -> bool:
            write(backend)
            return True

        for link in self._links[:-1]:
            if self._is_usable(link) and self._try(link, written):
                break
            link.remember(key)
        write(self._links[-1].backend)

    def _admitting(self) -> Iterator[Link]:
        return (link for link in self._links if self._is_usable(link))

    def _is_usable(self, link: Link) -> bool:
        """Whether to call it now. One that failed is probed aside first, when its rest is over."""
        if link.is_down and link.admits():
            self._aside(lambda: self._probe(link))
        return not (link.is_down or link.under_way.is_stuck)

    def _probe(self, link: Link) -> None:
        self._try(link, lambda backend: backend.get_many([PROBE_KEY]))

    def _try(self, link: Link, call: Callable[[CacheBackend], T]) -> T | None:
        """What the call returns, or None when the backend fails: that is noted, and the next in the chain is asked."""
        try:
            with link.under_way.call():
                link.forget_remembered()
                answer = call(link.backend)
        except (DatabaseError, Unavailable) as error:  # an open breaker is Unavailable without a call
            self._note_failure(link, type(error).__name__)
            return None
        if link.succeeded():
            log.info("cache_backend_returned", backend=link.backend.name)
        return answer

    def _note_failure(self, link: Link, error: str) -> None:
        if link.failed():
            log.warning("cache_backend_failed", backend=link.backend.name, error=error)
            for behind in self._links[self._links.index(link) + 1 : -1]:
                behind.distrust_before_return_of(link)

    def _now(self) -> float:
        return self._clock.now().timestamp()


def build_cache(settings: Settings, clock: Clock) -> Cache:
    """The chain of what is configured, over connections of its own, whose limits are far shorter. Opens nothing.

    They pass no breaker: what is too slow for a cache may be quick enough for everything else.
    """
    timeout_seconds, namespace = settings.cache.timeout_seconds, settings.cache.namespace
    dragonfly = replace(settings.dragonfly, timeout_seconds=timeout_seconds)
    redis = replace(settings.redis, timeout_seconds=timeout_seconds)
    backends: list[CacheBackend] = []
    if dragonfly.redis_url:
        backends.append(DragonflyCache(DragonflyDB(dragonfly), namespace))
    if redis.redis_url:
        backends.append(RedisCache(Redis(redis), namespace))
    return Cache([*backends, InProcessCache(clock)], clock, lambda job: run_aside("cache-probe", job))
