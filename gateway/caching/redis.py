"""The first fallback of the Cache role: the legacy Redis."""

from gateway.caching.redis_protocol import RedisProtocolCache
from gateway.databases.redis import Redis


class RedisCache(RedisProtocolCache):
    """The cache in the legacy Redis."""

    def __init__(self, database: Redis, namespace: str) -> None:
        super().__init__(database, namespace)
