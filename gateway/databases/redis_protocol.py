"""What DragonflyDB and Redis share: one implementation over the Redis protocol by redis-py, imported when first used.

Source: https://redis.io/docs/latest/develop/reference/protocol-spec/ (RESP3).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from config.databases import DragonflySettings, RedisSettings
from gateway.databases.driven import Driven
from gateway.databases.errors import DatabaseDisabled
from gateway.databases.limits import MAX_ANSWER_BYTES
from gateway.databases.model import DatabaseName, ResultSet, Role
from gateway.databases.redis_commands import read_command

if TYPE_CHECKING:
    import redis

    from gateway.databases.redis_driver import Driver


class RedisProtocol(Driven[DragonflySettings | RedisSettings, "Driver"]):
    """One server that speaks the Redis protocol. A subclass says which of the six it is."""

    name: DatabaseName
    engine: str
    role: Role
    version_fields: ClassVar[tuple[str, ...]] = ("redis_version",)

    @property
    def configured(self) -> bool:
        return self._settings.redis_url is not None

    def connect(self) -> None:
        self._driver.get().connect()

    def query(self, statement: str, parameters: Mapping[str, Any], *, timeout_seconds: float, max_rows: int) -> ResultSet:
        """Run one reading command (`redis_commands.py` lists them): words as redis-cli splits them, `$name` a bound parameter.

        Raises:
            StatementRefused: the command is not a reading one.
            StatementInvalid: a quote is open, a parameter is missing, or the server refuses the arguments.
            AnswerTooLarge: one single value is larger than MAX_ANSWER_BYTES.
        """
        words = read_command(self.name, statement, parameters)
        return self._driver.get().read(words, timeout_seconds=timeout_seconds, max_rows=max_rows, max_bytes=MAX_ANSWER_BYTES)

    @contextmanager
    def commands(self) -> "Iterator[redis.Redis]":
        """The driver's own client, for adapters of this house: its errors come out as ours, its retries are off.

        Raises:
            DatabaseError: any of its subclasses, never a vendor exception.
        """
        with self._guard(self.name), self.unguarded_commands() as client:
            yield client

    @contextmanager
    def unguarded_commands(self) -> "Iterator[redis.Redis]":
        """The same past the guard, for the one in the background who shares the guards themselves."""
        driver = self._driver.get()
        with driver.translated():
            yield driver.client

    def _build_driver(self) -> "Driver":
        url = self._settings.redis_url
        if url is None:
            raise DatabaseDisabled(f"{self.engine} is not configured")
        from gateway.databases.redis_driver import Driver

        return Driver(self.name, self.engine, url, self._settings, self.version_fields)
