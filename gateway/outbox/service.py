"""Write and ring in one transaction; ring only after it committed (decision 1)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from gateway.clock import Clock
from gateway.databases.postgres import Postgres
from gateway.outbox.model import Backlog, TaskName
from gateway.outbox.postgres import OutboxStore
from gateway.outbox.relay import Relay


@dataclass(frozen=True)
class Work:
    """One transaction: `connection` for the stores, `outbox` to ring."""

    connection: Connection
    outbox: OutboxStore


class Outbox:
    """The way from a committed row to a worker."""

    def __init__(self, postgres: Postgres, relay: Relay, clock: Clock) -> None:
        self._postgres = postgres
        self._relay = relay
        self._clock = clock

    @contextmanager
    def transaction(self) -> Iterator[Work]:
        """One transaction that may ring. Commits at the end of the block, and only then wakes the relay.

        Raises:
            DatabaseError: PostgreSQL failed; nothing was written and nothing is rung.
        """
        with self._postgres.transaction() as connection:
            work = Work(connection, OutboxStore(connection, self._clock))
            yield work
        if work.outbox.rung:
            self._relay.wake()

    def ring(self, task: TaskName, *, due_at: datetime | None = None, **arguments: str) -> None:
        """Ring for one task in a transaction of its own.

        Raises:
            DatabaseError: PostgreSQL failed; nothing is rung.
        """
        with self.transaction() as work:
            work.outbox.ring(task, due_at=due_at, **arguments)

    def backlog(self) -> Backlog:
        """What is due and not sent.

        Raises:
            DatabaseError: PostgreSQL failed.
        """
        with self.transaction() as work:
            return work.outbox.backlog()
