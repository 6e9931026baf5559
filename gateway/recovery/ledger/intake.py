"""What this process knows of open recoveries, and what it has to write down. Memory only: the error path waits for nobody (decision 4)."""

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from gateway.clock import Clock
from gateway.recovery.ledger.model import Healing, Intent, Opened, Record
from gateway.recovery.model import Action

QUEUE_LIMIT = 1000
TARGET_LIMIT = 1000  # targets come from registrations: nobody may fill the memory with names
REMEMBERED_SECONDS = 5.0  # faults that come this soon after a recovery was opened join it, even when it ended meanwhile


@dataclass
class _Known:
    """A recovery that faults of its target join. `written`: PostgreSQL has it."""

    recovery_id: str
    action: Action
    broken_since: datetime
    known_since: float
    written: bool


class Intake:
    """Safe for threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
        self._ended: dict[str, datetime] = {}
        self._queue: deque[Record] = deque()
        self._dropped = 0

    def open(self, intent: Intent) -> tuple[str | None, bool]:
        """The id of the recovery that the intent joined, or its own, and whether it has to be written; (None, False) without any room."""
        with self._lock:
            known = self._known.get(intent.target)
            if known is not None:
                return known.recovery_id, False
            if len(self._queue) >= QUEUE_LIMIT or len(self._known) >= TARGET_LIMIT:
                self._dropped += 1
                return None, False
            self._known[intent.target] = _Known(
                intent.recovery_id, intent.action, intent.broken_since, self._clock.monotonic(), written=False
            )
            self._queue.append(intent)
            return intent.recovery_id, True

    def find(self, target: str) -> tuple[str, Action] | None:
        """The id and the action of the recovery that faults of this target join; None when there is none."""
        with self._lock:
            known = self._known.get(target)
            return (known.recovery_id, known.action) if known else None

    def heal(self, target: str, at: datetime) -> bool:
        """Note that a target is well; whether that has to be written: only while a recovery of it is open here."""
        with self._lock:
            known = self._known.get(target)
            if known is None or known.broken_since > at or len(self._queue) >= QUEUE_LIMIT:
                return False
            self._queue.append(Healing(target, at))
            self._end(target, at)
            return True

    def may_open(self, target: str, seen_at: datetime) -> bool:
        """Whether what was seen then is news: no recovery is open, and the last one ended before that."""
        with self._lock:
            ended = self._ended.get(target)
            return target not in self._known and (ended is None or seen_at > ended)

    def take(self, limit: int) -> list[Record]:
        """The oldest records, for writing; give them back with `put_back` when that failed."""
        with self._lock:
            return [self._queue.popleft() for _ in range(min(limit, len(self._queue)))]

    def take_dropped(self) -> int:
        """How many intents found no room since the last time this was asked."""
        with self._lock:
            dropped, self._dropped = self._dropped, 0
            return dropped

    def put_back(self, records: Iterable[Record]) -> None:
        """First in the queue again, in their order."""
        with self._lock:
            self._queue.extendleft(reversed(list(records)))

    def written(self, records: Iterable[Record]) -> None:
        """PostgreSQL has these."""
        with self._lock:
            for record in records:
                known = self._known.get(record.target)
                if isinstance(record, Intent) and known and known.recovery_id == record.recovery_id:
                    known.written = True

    def forget(self, records: Iterable[Record]) -> None:
        """These can never be written: nobody joins them any more."""
        with self._lock:
            for record in records:
                known = self._known.get(record.target)
                if isinstance(record, Intent) and known and known.recovery_id == record.recovery_id:
                    del self._known[record.target]

    def learn(self, rows: Iterable[Opened]) -> None:
        """What PostgreSQL says is open, read after everything taken was written. What it has no more has ended."""
        now = self._clock.monotonic()
        with self._lock:
            opened = {row.target: row for row in rows}
            for target, row in opened.items():
                known = self._known.get(target)
                if known is None or known.written:
                    known_since = known.known_since if known else now
                    self._known[target] = _Known(row.recovery_id, row.action, row.broken_since, known_since, written=True)
            for target, known in list(self._known.items()):
                if target not in opened and known.written and now - known.known_since >= REMEMBERED_SECONDS:
                    self._end(target, self._clock.now())

    def waiting(self) -> int:
        """Records that nobody wrote down yet."""
        with self._lock:
            return len(self._queue)

    def _end(self, target: str, at: datetime) -> None:
        del self._known[target]
        if len(self._ended) >= TARGET_LIMIT:
            self._ended.clear()
        self._ended[target] = at
