"""Analytics: write down every request, fault and recovery off the request path, and answer questions about them."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import structlog

from gateway.analytics.buffer import EventBuffer
from gateway.analytics.model import (
    AnalyticsQuery,
    AnalyticsState,
    ErrorReport,
    Event,
    FaultEvent,
    RecoveryEvent,
    RequestEvent,
    RequestReport,
    RequestRow,
)
from gateway.analytics.ports import Backlog, EventStore
from gateway.analytics.rows import from_line, to_line
from gateway.analytics.validation import check_query
from gateway.background import BackgroundLoop
from gateway.clock import Clock
from gateway.errors import GatewayError, Unavailable
from gateway.recovery.breaker import BreakerOpen
from gateway.recovery.guards import Doubts, nobody_doubts
from gateway.recovery.registry import Breakers
from gateway.spool import FileSpool
from gateway.targets import database_target

log = structlog.get_logger(__name__)
T = TypeVar("T")

MAX_ROWS = 1000
MAX_FAULTS = 200
BATCH_EVENTS = 1000
FORGET_EVERY_SECONDS = 600.0
REPLAY_EVERY_SECONDS = 5.0
LOCAL = "local-spool"
STOP_SECONDS = 3.0


class Analytics:
    """What others call. `start` in each process that serves; nothing runs before.

    Args:
        stores: where events go and are counted, first choice first.
        doubts: whether a store is better not waited for; then it is asked last.
        spool: local file for when no store takes them.
        backlog: the store whose events are moved to the first one, as soon as that one answers.
        flush_seconds: longest time that an event waits in memory while a store answers.
    """

    def __init__(
        self,
        stores: Sequence[EventStore],
        spool: FileSpool,
        breakers: Breakers,
        clock: Clock,
        *,
        doubts: Doubts = nobody_doubts,
        backlog: Backlog | None = None,
        buffer_events: int = 20_000,
        flush_seconds: float = 1.0,
        retention_days: int = 30,
    ) -> None:
        self._stores = tuple(stores)
        self._spool = spool
        self._breakers = breakers
        self._doubts = doubts
        self._clock = clock
        self._backlog = backlog
        self._buffer = EventBuffer(buffer_events)
        self._flush_seconds = flush_seconds
        self._retention = timedelta(days=retention_days)
        self._loop = BackgroundLoop("analytics", self._step)
        self._forget_at = clock.monotonic() + FORGET_EVERY_SECONDS
        self._replay_at = clock.monotonic()
        self._written = 0
        self._writing_to = self._stores[0].name if self._stores else LOCAL

    def record_request(self, event: RequestEvent) -> None:
        """Write down an answered request. O(1), no I/O, never raises."""
        self._record(event)

    def record_fault(self, event: FaultEvent) -> None:
        """Write down a fault. O(1), no I/O, never raises."""
        self._record(event)

    def record_recovery(self, event: RecoveryEvent) -> None:
        """Write down how a recovery ended. O(1), no I/O, never raises."""
        self._record(event)

    def requests(self, query: AnalyticsQuery) -> RequestReport:
        """Requests by group.

        Raises:
            InvalidInput: the query asks for the impossible, or for more than 2,000 buckets.
            Unavailable: no store answers (DatabaseUnreachable, BreakerOpen).
        """
        check_query(query, failed_only=False)
        rows, served_by = self._ask(lambda store: store.count_requests(query, failed_only=False, limit=MAX_ROWS + 1))
        kept = in_order(rows[:MAX_ROWS])
        total = sum(row.count for row in kept)
        return RequestReport(query, kept, total, served_by, truncated=len(rows) > MAX_ROWS, pending=len(self._buffer))

    def errors(self, query: AnalyticsQuery) -> ErrorReport:
        """Requests that failed, by group, and every kind of fault that was seen. Raises as `requests`."""
        check_query(query, failed_only=True)

        def count(store: EventStore) -> tuple[tuple[RequestRow, ...], tuple[Any, ...]]:
            rows = store.count_requests(query, failed_only=True, limit=MAX_ROWS + 1)
            return rows, store.count_faults(query, limit=MAX_FAULTS)

        (rows, faults), served_by = self._ask(count)
        kept = in_order(rows[:MAX_ROWS])
        total = sum(row.count for row in kept)
        return ErrorReport(query, kept, faults, total, served_by, truncated=len(rows) > MAX_ROWS, pending=len(self._buffer))

    def start(self) -> None:
        """Start flushing in the background."""
        self._loop.start()

    def stop(self) -> None:
        """Stop, and write down what still waits: to a store, or to the local spool."""
        self._loop.stop(STOP_SECONDS)
        self.flush()
        self._spool.close()

    def flush(self) -> None:
        """Hand everything that waits to the first store that takes it; called by the loop, and by tests."""
        while events := self._buffer.take(BATCH_EVENTS):
            self._write(events)
        if self._writing_to != LOCAL and self._spool.waiting_bytes():
            self._drain()

    def snapshot(self) -> AnalyticsState:
        """What waits where, for `/health`. Looks at the local spool's files, at nothing else."""
        return AnalyticsState(
            buffered=len(self._buffer),
            written=self._written,
            spooled_bytes=self._spool.waiting_bytes(),
            dropped=self._buffer.dropped,
            writing_to=self._writing_to,
        )

    def _record(self, event: Event) -> None:
        if self._buffer.add(event) == BATCH_EVENTS:
            self._loop.wake()

    def _step(self) -> float:
        self.flush()
        if self._backlog and self._clock.monotonic() >= self._replay_at:
            self._replay_at = self._clock.monotonic() + (0.0 if self._replay(self._backlog) else REPLAY_EVERY_SECONDS)
        if self._clock.monotonic() >= self._forget_at:
            self._forget_at = self._clock.monotonic() + FORGET_EVERY_SECONDS
            self._forget_old()
        return self._flush_seconds

    def _write(self, events: Sequence[Event]) -> None:
        for store in self._stores:
            if self._try(store, lambda chosen: chosen.write(events)):
                self._written += len(events)
                self._note_target(store.name)
                return
        self._note_target(LOCAL)
        self._spool_locally(events)

    def _try(self, store: EventStore, action: Callable[[EventStore], None]) -> bool:
        """Whether it succeeded. The action must call the store: whatever it does counts for the store's breaker."""

        def guarded() -> None:
            with self._breakers.of(database_target(store.name)).guard():
                action(store)

        return self._succeeds(store, guarded)

    def _succeeds(self, store: EventStore, job: Callable[[], None]) -> bool:
        try:
            job()
        except BreakerOpen:
            return False
        except GatewayError as error:
            log.warning("analytics_store_failed", store=store.name, error=type(error).__name__, code=error.code)
            return False
        return True

    def _spool_locally(self, events: Sequence[Event]) -> None:
        try:
            kept = self._spool.append(to_line(event) for event in events)
        except OSError as error:
            kept = 0
            log.warning("analytics_spool_failed", error=type(error).__name__, errno=error.errno)
        if kept < len(events):
            self._buffer.count_dropped(events[kept:])
            log.warning("analytics_events_dropped", count=len(events) - kept, total=self._buffer.dropped)

    def _drain(self) -> None:
        """The local spool goes to the store that answers now; its event ids make a second delivery harmless."""
        store = next((store for store in self._stores if store.name == self._writing_to), None)
        if store is None:
            return

        def take(lines: list[dict[str, Any]]) -> None:
            events = [event for event in map(from_line, lines) if event]
            with self._breakers.of(database_target(store.name)).guard():  # not around the whole: a spool that others hold gives nothing
                store.write(events, again=True)
            if len(events) < len(lines):
                log.warning("analytics_lines_unreadable", count=len(lines) - len(events))

        def drain() -> None:
            if events := self._spool.drain(take):
                log.info("analytics_spool_drained", store=store.name, events=events)

        self._succeeds(store, drain)

    def _replay(self, backlog: Backlog) -> bool:
        """Move one batch to the first store; whether there may be more. Its event ids make a second delivery harmless."""
        first, moved = self._stores[0], 0

        def take(events: Sequence[Event]) -> None:
            with self._breakers.of(database_target(first.name)).guard():
                first.write(events, again=True)

        if self._breakers.of(database_target(first.name)).remaining_open_seconds() > 0:
            return False
        try:
            moved = backlog.hand_over(take, BATCH_EVENTS)
        except GatewayError as error:
            log.warning("analytics_replay_failed", store=first.name, error=type(error).__name__, code=error.code)
        if moved:
            log.info("analytics_replayed", store=first.name, events=moved)
        return moved >= BATCH_EVENTS

    def _forget_old(self) -> None:
        before = self._clock.now() - self._retention
        for store in self._stores:
            self._try(store, lambda chosen: _forget(chosen, before))

    def _ask(self, question: Callable[[EventStore], T]) -> tuple[T, str]:
        """The first store that answers, and its name."""
        failure: GatewayError = Unavailable("Analytics has no store")
        for store in sorted(self._stores, key=lambda each: self._doubts(each.name)):
            try:
                with self._breakers.of(database_target(store.name)).guard():
                    return question(store), store.name
            except GatewayError as error:
                failure = error
        raise failure

    def _note_target(self, name: str) -> None:
        if name != self._writing_to:
            log.warning("analytics_target_changed", before=self._writing_to, now=name)
            self._writing_to = name


def _forget(store: EventStore, before: Any) -> None:
    while store.forget(before):
        pass


def in_order(rows: Sequence[RequestRow]) -> tuple[RequestRow, ...]:
    """By time, then the most frequent first; equal ones stay as the store ordered them."""
    return tuple(sorted(rows, key=lambda row: (row.bucket_at.timestamp() if row.bucket_at else 0.0, -row.count)))
