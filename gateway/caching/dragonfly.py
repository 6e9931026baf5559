"""The first choice of the Cache role: DragonflyDB."""

from gateway.caching.redis_protocol import RedisProtocolCache
from gateway.databases.dragonflydb import DragonflyDB


class DragonflyCache(RedisProtocolCache):
    """The cache in DragonflyDB."""

    def __init__(self, database: DragonflyDB, namespace: str) -> None:
        super().__init__(database, namespace)
