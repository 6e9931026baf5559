"""The first fallback of the Cache role: the legacy Redis."""

from gateway.caching.redis_protocol import RedisProtocolCache


class RedisCache(RedisProtocolCache):
    """The cache in the legacy Redis."""
