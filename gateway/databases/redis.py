"""Redis: the optional legacy cache, and the first fallback of DragonflyDB."""

from config.databases import RedisSettings
from gateway.databases.guarding import Guard, unguarded
from gateway.databases.model import DatabaseName, Role
from gateway.databases.redis_protocol import RedisProtocol


class Redis(RedisProtocol):
    """Redis ≥ 6.0."""

    name = DatabaseName.REDIS
    engine = "Redis"
    role = Role.LEGACY_CACHE

    def __init__(self, settings: RedisSettings, guard: Guard = unguarded) -> None:
        super().__init__(settings, guard)
