"""What the engines with a driver of their own have in common: building it when it is first used, counting its connections, closing it.

A second one, with connections of its own, is for pings: callers who hang, each with a connection, do not keep them from asking.
"""

from typing import Generic, Protocol, TypeVar

from gateway.databases.guarding import Guard, unguarded
from gateway.databases.model import Ping, PoolStats
from gateway.databases.process_local import ProcessLocal


class PooledSettings(Protocol):
    """The settings of a database whose connections and calls are limited."""

    @property
    def pool_size(self) -> int: ...

    @property
    def timeout_seconds(self) -> float: ...


class PooledDriver(Protocol):
    """What every driver knows."""

    def version(self, timeout_seconds: float, /) -> str:
        """The server's, asked for now, over a connection of the driver's. Raises DatabaseError."""

    def pool_stats(self) -> PoolStats: ...

    def close(self) -> None: ...


S = TypeVar("S", bound=PooledSettings)
D = TypeVar("D", bound=PooledDriver)


class Driven(Generic[S, D]):
    """A database over a driver that each process builds at first use."""

    def __init__(self, settings: S, guard: Guard = unguarded) -> None:
        """`guard`: entered around every block of commands."""
        self._settings = settings
        self._guard = guard
        self._driver: ProcessLocal[D] = ProcessLocal(self._build_driver)
        self._pinging: ProcessLocal[D] = ProcessLocal(self._build_driver)

    @property
    def limit_seconds(self) -> float:
        return self._settings.timeout_seconds

    def connect(self) -> None:
        self._driver.get().version(self._settings.timeout_seconds)

    def ping(self, timeout_seconds: float) -> Ping:
        return Ping(self._pinging.get().version(timeout_seconds))

    def pool_stats(self) -> PoolStats:
        driver = self._driver.find()
        return driver.pool_stats() if driver else PoolStats(0, 0, self._settings.pool_size, 0)

    def close(self) -> None:
        for driver in (self._driver.take(), self._pinging.take()):
            if driver:
                driver.close()

    def _build_driver(self) -> D:
        """Raises DatabaseDisabled."""
        raise NotImplementedError
