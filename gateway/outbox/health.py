"""Do the workers consume? Each worker writes when it took something from a queue; the web process reads it in the background."""

import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gateway.background import BackgroundLoop
from gateway.clock import Clock
from gateway.databases.errors import DatabaseDisabled, DatabaseError
from gateway.databases.postgres import Postgres
from gateway.outbox.model import Backlog, Queue
from gateway.outbox.postgres import HeartbeatStore, OutboxStore

HEARTBEAT_SECONDS = 5.0  # beat rings every queue this often, so a queue that is only idle looks alive
SILENT_SECONDS = 20.0  # a queue that nobody consumed from for this long has no worker
READ_SECONDS = 5.0
WRITE_SECONDS = 2.0  # a busy worker writes at most this often per queue

Heartbeat = tuple[str, str, datetime]


class WorkerHealth:
    """`consumed` is called by workers, `snapshot` by the web process; neither knows of the other but through the rows."""

    def __init__(self, postgres: Postgres, clock: Clock) -> None:
        self._postgres = postgres
        self._clock = clock
        self._loop = BackgroundLoop("worker-health", self.refresh)
        self._lock = threading.Lock()
        self._written: dict[tuple[str, str], float] = {}
        self._read: tuple[list[Heartbeat], Backlog, datetime] | None = None

    def start(self) -> None:
        """Start reading in the background (web process)."""
        self._loop.start()

    def stop(self) -> None:
        """End the background reading."""
        self._loop.stop()

    def consumed(self, hostname: str, queue: str) -> None:
        """This worker took something from this queue. Throttled: most calls write nothing.

        Raises:
            DatabaseError: PostgreSQL failed; the next call writes again.
        """
        key, now = (hostname, queue), self._clock.monotonic()
        with self._lock:
            if now - self._written.get(key, float("-inf")) < WRITE_SECONDS:
                return
        with self._postgres.transaction() as connection:
            HeartbeatStore(connection).record(hostname, queue, self._clock.now())
        with self._lock:
            self._written[key] = now

    def refresh(self) -> float:
        """Read the rows once; returns the seconds until the next reading. What was read before stays while PostgreSQL is down."""
        try:
            with self._postgres.transaction() as connection:
                beats, backlog = HeartbeatStore(connection).list_all(), OutboxStore(connection, self._clock).backlog()
        except (DatabaseError, DatabaseDisabled):
            return READ_SECONDS  # the poller of the databases reports it; this snapshot ages and turns unknown
        with self._lock:
            self._read = (beats, backlog, self._clock.now())
        return READ_SECONDS

    def snapshot(self) -> dict[str, Any]:
        """What was read last, as JSON. No I/O.

        `{status, queues {name: {lastConsumedAt, ageSeconds}}, workers [{hostname, lastSeenAt, ageSeconds}],
        outbox {pending, oldestSeconds}}`. Status `unknown`: nothing was read yet, the last reading is old, or no worker ever consumed;
        `unhealthy`: some queue has no consumer.
        """
        with self._lock:
            read = self._read
        if read is None:
            return describe([], None, self._clock.now(), fresh=False)
        beats, backlog, read_at = read
        now = self._clock.now()
        return describe(beats, backlog, now, fresh=(now - read_at).total_seconds() <= SILENT_SECONDS)


def describe(beats: list[Heartbeat], backlog: Backlog | None, now: datetime, *, fresh: bool) -> dict[str, Any]:
    """The snapshot of these heartbeats as JSON. Pure."""
    latest = {queue.value: max((at for _, name, at in beats if name == queue), default=None) for queue in Queue}
    queues = {name: _moment("lastConsumedAt", at, now) for name, at in latest.items()}
    hostnames = sorted({hostname for hostname, _, _ in beats})
    last_seen = {hostname: max(at for name, _, at in beats if name == hostname) for hostname in hostnames}
    return {
        "status": _status(latest, now) if fresh else "unknown",
        "queues": queues,
        "workers": [{"hostname": hostname, **_moment("lastSeenAt", at, now)} for hostname, at in last_seen.items()],
        "outbox": {"pending": backlog.pending, "oldestSeconds": round(backlog.oldest_seconds, 1)} if backlog else None,
    }


def _status(latest: Mapping[str, datetime | None], now: datetime) -> str:
    if not any(latest.values()):
        return "unknown"  # no worker ever ran here, or the first one is just starting
    alive = all(at is not None and (now - at).total_seconds() <= SILENT_SECONDS for at in latest.values())
    return "healthy" if alive else "unhealthy"


def _moment(name: str, at: datetime | None, now: datetime) -> dict[str, Any]:
    age_seconds = round(max(0.0, (now - at).total_seconds()), 1) if at else None
    return {name: at.isoformat().replace("+00:00", "Z") if at else None, "ageSeconds": age_seconds}
