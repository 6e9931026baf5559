"""Breakers shared among processes, in the background: what one learned about a target, all know within about half a second.

No call ever waits for it. Each process decides by itself; its decision is written with the version it was based on, and when the store
holds a newer one, that one is adopted instead: an old opening never overwrites a newer closing. While the store answers, probes are
leased from it; when it is lost, every process goes on alone. docs/adr/0006-breakers.md tells why.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from gateway.background import BackgroundLoop
from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.recovery.breaker import Breaker
from gateway.recovery.breaker_model import BreakerState, Cause
from gateway.recovery.ports import BreakerStore, SharedBreaker
from gateway.recovery.registry import TARGET_LIMIT, Breakers

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.5
LOST_SECONDS = 1.0  # between two tries to reach a lost store
AGAIN_SECONDS = 0.02  # after a write that came too late
TRUSTED_SECONDS = 3.0  # leases are waited for until so long after the store's last answer
PROBES = 2  # for one half-open time, over all processes; one granted late in the time before may come on top
PROBE_LEASE_SECONDS = 60.0
STALE_SECONDS = 60.0  # an opening whose time was over so long before this process heard of it says nothing about now
STOP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Pending:
    """A decision of this process that the store does not hold yet."""

    by_operator: bool
    decided_at_ms: int


class BreakerSharing:
    """One per process. `start` it where calls are made; until then, and whenever the store is away, breakers are this process's own."""

    def __init__(self, breakers: Breakers, store: BreakerStore, clock: Clock) -> None:
        self._breakers = breakers
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._pending: dict[str, _Pending] = {}
        self._versions: dict[str, int] = {}
        self._connected: bool | None = None
        self._loop = BackgroundLoop("breaker-sharing", self.step, retry_seconds=LOST_SECONDS)
        breakers.share_through(self._changed, self._demanded)

    @property
    def connected(self) -> bool:
        """Whether the store answered last time; no I/O."""
        return self._connected is True

    def start(self) -> None:
        """Begin in the background."""
        self._loop.start()

    def stop(self) -> None:
        """End it. Nothing is given back: leases end by themselves."""
        self._loop.stop(STOP_SECONDS)

    def step(self) -> float:
        """One exchange with the store; returns the seconds until the next one."""
        try:
            self._learn(self._store.read())
            all_written = self._write_pending()
            self._lease_probes()
        except GatewayError as error:
            if self._connected is not False:
                log.warning("breaker_sharing_lost", code=error.code)
            self._connected = False
            return LOST_SECONDS
        if self._connected is False:
            log.info("breaker_sharing_resumed")
        self._connected = True
        return self._pause() if all_written else AGAIN_SECONDS

    def _changed(self, target: str, cause: Cause) -> None:
        """A breaker of this process changed. What others said, or what time alone changes everywhere, is no news to them."""
        if cause not in (Cause.CALLS, Cause.OPERATOR):
            return
        pending = _Pending(cause is Cause.OPERATOR, round(self._clock.now().timestamp() * 1000))
        with self._lock:
            standing = self._pending.get(target)
            if pending.by_operator or standing is None or not standing.by_operator:
                self._pending[target] = pending
        self._loop.wake()

    def _demanded(self, _target: str) -> None:
        self._loop.wake()

    def _learn(self, shared: Mapping[str, SharedBreaker]) -> None:
        for breaker in shared.values():
            self._learn_one(breaker)
        for target in [target for target, version in self._versions.items() if version and target not in shared]:
            self._remember_for_store(target, version=0)
        self._announce(shared)

    def _learn_one(self, shared: SharedBreaker) -> None:
        target, known = shared.target, self._versions.get(shared.target, 0)
        if shared.version < known:
            self._remember_for_store(target, version=shared.version)
            return
        self._versions[target] = shared.version
        breaker, is_news = self._breakers.of(target), known > 0 or shared.by_operator or not _is_old_news(shared)
        if shared.version > known and is_news and self._give_way(shared):
            breaker.adopt(shared.state, remaining_seconds=shared.remaining_seconds, streak=shared.streak, blamed=shared.blamed)

    def _give_way(self, shared: SharedBreaker) -> bool:
        """Whether what the store holds counts more than what this process decided meanwhile, which is forgotten then."""
        with self._lock:
            pending = self._pending.get(shared.target)
            if pending and pending.by_operator and not (shared.by_operator and shared.decided_at_ms > pending.decided_at_ms):
                return False
            self._pending.pop(shared.target, None)
            return True

    def _remember_for_store(self, target: str, *, version: int) -> None:
        """The store lost its memory: tell it again what is not closed."""
        self._versions[target] = version
        state = self._breakers.of(target).state()
        if state is not BreakerState.CLOSED:
            self._changed(target, Cause.OPERATOR if state in (BreakerState.FORCED_OPEN, BreakerState.DISABLED) else Cause.CALLS)

    def _announce(self, shared: Mapping[str, SharedBreaker]) -> None:
        """Targets that the store does not know: operators see and change them in every process, whoever calls them."""
        for breaker in self._breakers.list_all():
            if breaker.name not in shared and len(shared) < TARGET_LIMIT:
                with self._lock:
                    self._pending.setdefault(breaker.name, _Pending(False, round(self._clock.now().timestamp() * 1000)))

    def _write_pending(self) -> bool:
        """Write what this process decided; False when some of it came too late, and what came first must be learned before."""
        with self._lock:
            pending = dict(self._pending)
        late = [target for target, decision in pending.items() if not self._write(target, decision)]
        return not late

    def _write(self, target: str, pending: _Pending) -> bool:
        seen = self._breakers.of(target).snapshot()
        version = self._versions.get(target, 0) + 1
        draft = SharedBreaker(
            target=target,
            state=BreakerState.OPEN if seen.state is BreakerState.HALF_OPEN else seen.state,
            version=version,
            remaining_seconds=seen.remaining_open_seconds,
            streak=seen.streak,
            decided_at_ms=pending.decided_at_ms,
            by_operator=pending.by_operator,
            blamed=seen.blamed if seen.state is not BreakerState.CLOSED else None,
        )
        if not self._store.write(draft):
            return False
        self._versions[target] = version
        with self._lock:
            if self._pending.get(target) is pending:  # it may have been decided anew meanwhile
                del self._pending[target]
        return True

    def _lease_probes(self) -> None:
        for breaker in self._breakers.list_all():
            breaker.lease_probes(TRUSTED_SECONDS)
            if breaker.wants_probe() and self._lease(breaker):
                breaker.grant_probe()

    def _lease(self, breaker: Breaker) -> bool:
        version = self._versions.get(breaker.name, 0)
        return self._store.lease_probe(breaker.name, version, limit=PROBES, seconds=PROBE_LEASE_SECONDS)

    def _pause(self) -> float:
        """Until the next poll, or until a breaker is half open and may want a probe."""
        waits = (breaker.remaining_open_seconds() for breaker in self._breakers.list_all() if not breaker.is_closed)
        return min([POLL_SECONDS, *(wait + 0.01 for wait in waits if wait > 0)])


def _is_old_news(shared: SharedBreaker) -> bool:
    """To a process that hears of this target for the first time: it is well, or its opening is long over."""
    return shared.state is BreakerState.CLOSED or (shared.state is BreakerState.OPEN and shared.remaining_seconds < -STALE_SECONDS)
