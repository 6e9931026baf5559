"""The first choice of the Cache role: DragonflyDB."""

from gateway.caching.redis_protocol import RedisProtocolCache


class DragonflyCache(RedisProtocolCache):
    """The cache in DragonflyDB."""
