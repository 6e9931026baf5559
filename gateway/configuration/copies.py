"""Last-known-good copies: a bounded memory in each process, and rows in PostgreSQL that outlive it and are shared.

Reads look into memory first, and at rows only while the service cannot be asked. Writes go to memory at once and to PostgreSQL later,
from a background loop (`upkeep.py`): a hung PostgreSQL delays none. What must not be written down (secrets) stays in memory. A copy
whose content did not change is written again only after `REWRITE_SECONDS`: after a restart its age can look that much older than it
is, never younger. For as long, a row can hold what another process was told in between and this one never saw: it would take a
statement for every answer to know.
"""

import math
import threading
from collections import OrderedDict
from typing import Any

import structlog

from gateway.clock import Clock
from gateway.configuration.memory import Copy, CopyMemory, Kind, Place
from gateway.configuration.model import CopyState
from gateway.configuration.postgres import CopyRow, KnownCopyStore
from gateway.configuration.unwritten import Batch, Unwritten
from gateway.databases.errors import DatabaseDisabled, DatabaseError, StatementInvalid
from gateway.databases.postgres import Postgres

log = structlog.get_logger(__name__)

READ_SECONDS = 1.0  # of a row, in the path of a request
LOOK_AGAIN_SECONDS = 1.0  # for a row newer than the copy at hand: other processes write theirs about as often
UNREADABLE_SECONDS = 5.0  # after rows could not be read, who holds a copy does not look for a newer one
MAX_LOOKS = 4096  # places remembered for that
KEPT_ROWS = 20_000  # of each kind that callers can make grow


class Copies:
    """The copies of this process and of all of them. Safe for threads."""

    def __init__(self, postgres: Postgres, clock: Clock, memory: CopyMemory | None = None) -> None:
        self._postgres = postgres
        self._clock = clock
        self._memory = memory or CopyMemory()
        self._lock = threading.Lock()
        self._unwritten = Unwritten()
        self._look_at: OrderedDict[Place, float] = OrderedDict()  # when a row may be looked at next
        self._unreadable_until = -math.inf

    def age_seconds(self, copy: Copy) -> float:
        """Since the service gave it, >= 0."""
        return max(0.0, self._clock.monotonic() - copy.taken)

    def remember(self, kind: Kind, key: str, body: Any, *, lasting: bool = True, overrule: bool = False) -> Copy:
        """Keep what the service just said.

        Args:
            lasting: beyond this process; otherwise a row from before goes too.
            overrule: it also ends the matter of a flow whose upload was hindered: it has been registered now.
        """
        copy = Copy(kind, key, body, self._clock.now(), self._clock.monotonic(), overrule=overrule)
        self._memory.put(copy)
        self._unwritten.add(copy.place, copy if lasting else None)
        return copy

    def forget(self, kind: Kind, key: str) -> None:
        """Drop the copy: the service itself says that the thing is gone. A flow whose upload waits keeps its row."""
        self._memory.drop(kind, key)
        self._unwritten.add((kind, key), None)

    def hold(self, row: CopyRow) -> None:
        """Keep in memory what was just written as a row, or what another process was told."""
        self._adopt(self._from_row(row))

    def find_in_memory(self, kind: Kind, key: str) -> Copy | None:
        """This process's copy."""
        return self._memory.find(kind, key)

    def find(self, kind: Kind, key: str) -> Copy | None:
        """This process's copy, or else the row, which then is this process's too."""
        own = self._memory.find(kind, key)
        if own:
            return own
        row = self.find_row(kind, key)
        if row:
            self._adopt(row)
        return row

    def find_newest(self, kind: Kind, key: str) -> Copy | None:
        """The newer one of this process's copy and the row, which then is this process's too.

        Who holds a copy looks at the row once in `LOOK_AGAIN_SECONDS`, and for a while not at all when rows cannot be read.
        """
        own = self._memory.find(kind, key)
        if own and not self._may_look((kind, key)):
            return own
        row = self.find_row(kind, key)
        if row is None or (own and own.fetched_at >= row.fetched_at):
            return own
        self._adopt(row)
        return row

    def find_row(self, kind: Kind, key: str) -> Copy | None:
        """The row. PostgreSQL being down counts as none."""
        rows = self._read(lambda store: [store.find(kind, key)])
        return self._from_row(rows[0]) if rows and rows[0] else None

    def list_kind(self, kind: Kind, limit: int) -> list[Copy]:
        """Every copy of a kind, rows and memory together, newest first; memory alone when PostgreSQL is down."""
        found = {row.key: self._from_row(row) for row in self._read(lambda store: store.list_kind(kind, limit)) if row}
        found |= {copy.key: copy for copy in self._memory.list_kind(kind)}
        return sorted(found.values(), key=lambda copy: copy.taken, reverse=True)[:limit]

    def flush(self) -> int:
        """Write a batch of what is not written yet; returns its size. What fails stays for the next time.

        Raises:
            DatabaseError: PostgreSQL failed.
        """
        batch = self._unwritten.take()
        try:
            self._write(batch)
        except StatementInvalid as error:
            if not _refuses_content(error):
                raise
            self._write_singly(batch)  # the others must not wait for it
        return len(batch)

    def prune(self) -> None:
        """Drop the oldest rows of the kinds that callers can make grow: each combination of key and layer is a row.

        Raises:
            DatabaseError: PostgreSQL failed.
        """
        with self._postgres.transaction() as connection:
            removed = KnownCopyStore(connection).prune(Kind.CONFIG, KEPT_ROWS)
        if removed:
            log.info("known_copies_pruned", kind=str(Kind.CONFIG), removed=removed)

    def _may_look(self, place: Place) -> bool:
        now = self._clock.monotonic()
        with self._lock:
            if now < max(self._unreadable_until, self._look_at.get(place, -math.inf)):
                return False
            self._look_at[place] = now + LOOK_AGAIN_SECONDS
            self._look_at.move_to_end(place)
            if len(self._look_at) > MAX_LOOKS:
                self._look_at.popitem(last=False)
            return True

    def _adopt(self, copy: Copy) -> None:
        self._memory.put(copy)
        self._unwritten.saw(copy)

    def _write(self, batch: Batch) -> None:
        if not batch:
            return
        with self._postgres.transaction() as connection:
            store = KnownCopyStore(connection)
            copies = [copy for copy in batch.values() if copy]
            store.save([_row(copy) for copy in copies])
            for copy in copies:
                if copy.overrule:
                    store.overrule_flow(copy.key, copy.body)
            store.remove([place for place, copy in batch.items() if copy is None])
        self._unwritten.settle(batch)

    def _write_singly(self, batch: Batch) -> None:
        for place, copy in batch.items():
            try:
                self._write({place: copy})
            except StatementInvalid as error:
                if not _refuses_content(error):
                    raise
                log.warning("copy_not_storable", kind=str(place[0]), key=place[1])
                self._unwritten.settle({place: copy})

    def _read(self, ask: Any) -> list[CopyRow | None]:
        try:
            with self._postgres.transaction(statement_timeout_seconds=READ_SECONDS) as connection:
                rows: list[CopyRow | None] = ask(KnownCopyStore(connection))
                return rows
        except (DatabaseError, DatabaseDisabled) as error:
            log.warning("known_copies_unreadable", code=error.code)
            self._unreadable_until = self._clock.monotonic() + UNREADABLE_SECONDS
            return []

    def _from_row(self, row: CopyRow) -> Copy:
        age_seconds = max(0.0, (self._clock.now() - row.fetched_at).total_seconds())
        taken = self._clock.monotonic() - age_seconds
        return Copy(Kind(row.kind), row.key, row.body, row.fetched_at, taken, state=CopyState(row.state), problem=row.problem)


def _refuses_content(error: StatementInvalid) -> bool:
    """Whether it is about this copy, not about the statement or the table.

    By SQLSTATE class: jsonb takes no U+0000 (22), and an index no key of more than about 2,700 bytes (54).
    """
    return (error.vendor_code or "").startswith(("22", "54"))


def _row(copy: Copy) -> CopyRow:
    return CopyRow(copy.kind, copy.key, copy.body, copy.fetched_at)
