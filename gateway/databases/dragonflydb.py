"""DragonflyDB: cache, limiter and broker."""

from typing import ClassVar

from config.databases import DragonflySettings
from gateway.databases.guarding import Guard, unguarded
from gateway.databases.model import DatabaseName, Role
from gateway.databases.redis_protocol import RedisProtocol


class DragonflyDB(RedisProtocol):
    """DragonflyDB ≥ 1.38.2. A Redis server in its place works too: the embedded default does so."""

    name = DatabaseName.DRAGONFLYDB
    engine = "DragonflyDB"
    role = Role.CACHE
    version_fields: ClassVar[tuple[str, ...]] = ("dragonfly_version", "redis_version")

    def __init__(self, settings: DragonflySettings, guard: Guard = unguarded) -> None:
        super().__init__(settings, guard)
