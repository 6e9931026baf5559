"""The rows of known copies. Every method runs inside its caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Update, delete, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from gateway.configuration.model import CopyState
from gateway.configuration.tables import known_copies

WAITING = (CopyState.PENDING, CopyState.CONFLICTED, CopyState.REFUSED)
COLUMNS = [column for column in known_copies.c if column.name != "due_at"]


@dataclass(frozen=True)
class CopyRow:
    """One row."""

    kind: str
    key: str
    body: Any
    fetched_at: datetime
    state: str = CopyState.KNOWN
    problem: str | None = None
    attempts: int = 0


class KnownCopyStore:
    """Reads and writes `known_copies`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, kind: str, key: str, *, lock: bool = False) -> CopyRow | None:
        """One row; with `lock` nobody else changes it before this transaction ends."""
        statement = select(*COLUMNS).where(known_copies.c.kind == kind, known_copies.c.key == key)
        row = self._connection.execute(statement.with_for_update() if lock else statement).one_or_none()
        return CopyRow(**row._mapping) if row else None

    def list_kind(self, kind: str, limit: int) -> list[CopyRow]:
        """The newest of one kind."""
        order = known_copies.c.fetched_at.desc()
        rows = self._connection.execute(select(*COLUMNS).where(known_copies.c.kind == kind).order_by(order).limit(limit))
        return [CopyRow(**row._mapping) for row in rows]

    def save(self, rows: Sequence[CopyRow]) -> None:
        """Keep what the service said. An older copy than the row's, and a flow whose upload waits, change nothing.

        Rows are written in the order of their keys, so that two processes never wait for each other in a circle.
        """
        if not rows:
            return
        ordered = sorted(rows, key=lambda row: (row.kind, row.key))
        values = [{"kind": row.kind, "key": row.key, "body": row.body, "fetched_at": row.fetched_at} for row in ordered]
        new = insert(known_copies).values(values)
        self._connection.execute(
            new.on_conflict_do_update(
                index_elements=["kind", "key"],
                set_={"body": new.excluded.body, "fetched_at": new.excluded.fetched_at},
                where=(known_copies.c.state == CopyState.KNOWN) & (known_copies.c.fetched_at < new.excluded.fetched_at),
            )
        )

    def remove(self, places: Sequence[tuple[str, str]]) -> None:
        """Drop what the service says is gone; a flow whose upload waits stays."""
        if places:
            chosen = tuple_(known_copies.c.kind, known_copies.c.key).in_([(str(kind), key) for kind, key in sorted(places)])
            self._connection.execute(delete(known_copies).where(chosen, known_copies.c.state == CopyState.KNOWN))

    def prune(self, kind: str, keep: int) -> int:
        """Drop all but the newest `keep` of a kind; returns how many went."""
        known = (known_copies.c.kind == kind) & (known_copies.c.state == CopyState.KNOWN)
        oldest_kept = select(known_copies.c.fetched_at).where(known).order_by(known_copies.c.fetched_at.desc()).offset(keep - 1).limit(1)
        return self._connection.execute(
            delete(known_copies).where(known, known_copies.c.fetched_at < oldest_kept.scalar_subquery())
        ).rowcount

    def has_flow(self, flow_id: str, name: str, version: str) -> bool:
        """Whether a flow of this id, or of this name and version, is known or waits. One that the registry refused does not count."""
        same = (known_copies.c.key == flow_id) | (
            (known_copies.c.body["name"].astext == name) & (known_copies.c.body["version"].astext == version)
        )
        taken = select(known_copies.c.key).where(known_copies.c.kind == "flow", known_copies.c.state != CopyState.REFUSED, same).limit(1)
        return self._connection.execute(taken).first() is not None

    def insert_pending_flow(self, flow_id: str, body: Any, at: datetime, due_at: datetime) -> bool:
        """Add a flow that waits for its upload, in place of a refused one. False when another transaction was first."""
        fresh = {"state": CopyState.PENDING, "problem": None, "attempts": 0, "fetched_at": at, "due_at": due_at, "body": body}
        new = insert(known_copies).values(kind="flow", key=flow_id, **fresh)
        done = self._connection.execute(
            new.on_conflict_do_update(index_elements=["kind", "key"], set_=fresh, where=known_copies.c.state == CopyState.REFUSED)
        )
        return done.rowcount == 1

    def settle_flow(self, row: CopyRow, *, over: CopyState) -> None:
        """End the wait of a flow that is still in state `over`: as known, or as what hinders it."""
        values = {"body": row.body, "state": row.state, "problem": row.problem, "fetched_at": row.fetched_at, "due_at": None}
        self._connection.execute(_flow(row.key).where(known_copies.c.state == over).values(**values))

    def overrule_flow(self, flow_id: str, body: Any) -> None:
        """The registry took a flow of this id: what hindered an earlier one of it is over."""
        hindered = known_copies.c.state.in_((CopyState.CONFLICTED, CopyState.REFUSED))
        self._connection.execute(_flow(flow_id).where(hindered).values(body=body, state=CopyState.KNOWN, problem=None))

    def count_waiting_flows(self) -> dict[str, int]:
        """How many are in each state but known."""
        chosen = select(known_copies.c.state, func.count().label("number")).where(
            known_copies.c.kind == "flow", known_copies.c.state.in_(WAITING)
        )
        return {row.state: row.number for row in self._connection.execute(chosen.group_by(known_copies.c.state))}

    def postpone_flow(self, flow_id: str, due_at: datetime) -> None:
        """Count a try that failed; the next one is due later."""
        self._connection.execute(_flow(flow_id).values(attempts=known_copies.c.attempts + 1, due_at=due_at))

    def claim_overdue_flows(self, before: datetime, due_at: datetime, limit: int) -> list[str]:
        """Ids of pending flows whose doorbell got lost, each to one caller; they are due again at `due_at`."""
        overdue = (
            select(known_copies.c.key)
            .where(known_copies.c.kind == "flow", known_copies.c.state == CopyState.PENDING, known_copies.c.due_at < before)
            .order_by(known_copies.c.key)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        claimed = list(self._connection.execute(overdue).scalars())
        if claimed:
            chosen = update(known_copies).where(known_copies.c.kind == "flow", known_copies.c.key.in_(claimed))
            self._connection.execute(chosen.values(due_at=due_at))
        return claimed


def _flow(flow_id: str) -> Update:
    return update(known_copies).where(known_copies.c.kind == "flow", known_copies.c.key == flow_id)
