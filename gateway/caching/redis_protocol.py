"""The cache in a server that speaks the Redis protocol; DragonflyDB and Redis differ in their names alone."""

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.caching.errors import NotACounter
from gateway.databases.errors import StatementInvalid
from gateway.databases.redis_protocol import RedisProtocol

KEY_PREFIX = "cache:"
KEYS_A_CALL = 500  # a server answers one command at a time: shorter ones let others in between


class RedisProtocolCache:
    """Keys stand below `cache:<namespace>:`, apart from queues and limiter, and from other deployments on the same server."""

    def __init__(self, database: RedisProtocol, namespace: str) -> None:
        self.name = str(database.name)
        self._database = database
        self._prefix = f"{KEY_PREFIX}{namespace}:"

    def close(self) -> None:
        self._database.close()

    def get(self, key: str) -> bytes | None:
        with self._database.commands() as client:
            value: Any = client.get(self._prefix + key)
        return value if value is None else bytes(value)

    def get_many(self, keys: Iterable[str]) -> Mapping[str, bytes]:
        found: dict[str, bytes] = {}
        remaining = iter(keys)
        while batch := list(itertools.islice(remaining, KEYS_A_CALL)):
            with self._database.commands() as client:
                values: Any = client.mget([self._prefix + key for key in batch])
            found.update({key: bytes(value) for key, value in zip(batch, values, strict=True) if value is not None})
        return found

    def set(self, key: str, value: bytes, ttl_seconds: float) -> None:
        with self._database.commands() as client:
            client.set(self._prefix + key, value, px=_milliseconds(ttl_seconds))

    def delete_many(self, keys: Iterable[str]) -> int:
        removed, remaining = 0, iter(keys)
        while batch := list(itertools.islice(remaining, KEYS_A_CALL)):
            with self._database.commands() as client:
                count: Any = client.delete(*(self._prefix + key for key in batch))
            removed += int(count)
        return removed

    def increment(self, key: str, amount: int, ttl_seconds: float) -> int:
        """One transaction: PEXPIRE … NX would need Redis 7, and a script would need leave to run scripts."""
        try:
            with self._database.commands() as client, client.pipeline(transaction=True) as transaction:
                transaction.set(self._prefix + key, 0, px=_milliseconds(ttl_seconds), nx=True)
                transaction.incrby(self._prefix + key, amount)
                answers: Any = transaction.execute()
        except StatementInvalid as error:
            raise NotACounter("The value under this key is no counter") from error
        return int(answers[1])


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
