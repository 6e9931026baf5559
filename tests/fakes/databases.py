"""A database that answers as a test says."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from gateway.databases.model import DatabaseName, Ping, PoolStats, ResultSet, Role


class FakeDatabase:
    """Pings raise `error` when it is set, wait for `release` when `hangs`, and call `before_ping` first.

    Queries return `result` and are kept in `queries`.
    """

    def __init__(self, name: DatabaseName, *, configured: bool = True) -> None:
        self.name = name
        self.engine = name.value.title()
        self.role = Role.CACHE
        self.configured = configured
        self.error: Exception | None = None
        self.hangs = False
        self.release = threading.Event()
        self.pings = 0
        self.before_ping: Callable[[], object] = lambda: None
        self.result = ResultSet(("n",), ((1,),))
        self.queries: list[tuple[str, Mapping[str, Any], float, int]] = []

    @property
    def limit_seconds(self) -> float:
        return 5.0

    def connect(self) -> None:
        self.ping(1.0)

    def ping(self, timeout_seconds: float) -> Ping:
        self.pings += 1
        self.before_ping()
        if self.hangs:
            self.release.wait(30)
        if self.error:
            raise self.error
        return Ping("1.0")

    def query(self, statement: str, parameters: Mapping[str, Any], *, timeout_seconds: float, max_rows: int) -> ResultSet:
        self.queries.append((statement, parameters, timeout_seconds, max_rows))
        if self.error:
            raise self.error
        return self.result

    def pool_stats(self) -> PoolStats:
        return PoolStats(0, 0, 1, 0)

    def close(self) -> None:
        """Nothing is open."""
