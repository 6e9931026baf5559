"""What the engines with a driver of their own have in common: counting its connections and closing it, without building one for that."""

from typing import Any, Generic, Protocol, TypeVar

from gateway.databases.model import PoolStats
from gateway.databases.process_local import ProcessLocal


class PooledSettings(Protocol):
    """The settings of a database whose connections are limited."""

    @property
    def pool_size(self) -> int: ...


S = TypeVar("S", bound=PooledSettings)


class Driven(Generic[S]):
    """A database over a driver that each process builds at first use. The driver knows `pool_stats()` and `close()`."""

    _settings: S
    _driver: ProcessLocal[Any]

    def pool_stats(self) -> PoolStats:
        driver = self._driver.find()
        stats: PoolStats = driver.pool_stats() if driver else PoolStats(0, 0, self._settings.pool_size, 0)
        return stats

    def close(self) -> None:
        driver = self._driver.take()
        if driver:
            driver.close()
