"""The six databases of a process, in one place."""

from collections.abc import Callable, Iterator, Mapping

from config.settings import Settings
from gateway.databases.arangodb import ArangoDB
from gateway.databases.clickhouse import ClickHouse
from gateway.databases.dragonflydb import DragonflyDB
from gateway.databases.errors import DatabaseDisabled, DatabaseNotFound
from gateway.databases.guarding import Guard, unguarded
from gateway.databases.model import DatabaseName
from gateway.databases.ports import Database
from gateway.databases.postgres import Postgres
from gateway.databases.redis import Redis
from gateway.databases.weaviate import Weaviate

# The variables that enable a database, as the 409 names them.
ENABLED_BY: Mapping[DatabaseName, str] = {
    DatabaseName.POSTGRES: "DATABASE_URL, POSTGRES_URL or POSTGRES_HOST",
    DatabaseName.DRAGONFLYDB: "DRAGONFLY_URL or DRAGONFLY_HOST",
    DatabaseName.CLICKHOUSE: "CLICKHOUSE_HOST",
    DatabaseName.WEAVIATE: "WEAVIATE_HOST",
    DatabaseName.ARANGODB: "ARANGO_URL",
    DatabaseName.REDIS: "REDIS_URL or REDIS_HOST",
}


class Databases:
    """All six, configured or not, in the order of design.md. Opens nothing by itself."""

    def __init__(self, settings: Settings, guard: Guard = unguarded) -> None:
        """`guard`: entered around every call of the house to any of them."""
        self.postgres = Postgres(settings.postgres, guard)
        self.dragonflydb = DragonflyDB(settings.dragonfly, guard)
        self.clickhouse = ClickHouse(settings.clickhouse, guard)
        self.weaviate = Weaviate(settings.weaviate, guard)
        self.arangodb = ArangoDB(settings.arango, guard)
        self.redis = Redis(settings.redis, guard)
        six: tuple[Database, ...] = (self.postgres, self.dragonflydb, self.clickhouse, self.weaviate, self.arangodb, self.redis)
        self._by_name: dict[str, Database] = {database.name: database for database in six}

    def __iter__(self) -> Iterator[Database]:
        return iter(self._by_name.values())

    @property
    def configured(self) -> tuple[Database, ...]:
        """Those whose variables are set."""
        return tuple(database for database in self if database.configured)

    def get(self, name: str) -> Database:
        """The configured database of this name.

        Raises:
            DatabaseNotFound: none of the six has this name.
            DatabaseDisabled: it is not configured; the detail names the variables that enable it.
        """
        database = self._by_name.get(name)
        if database is None:
            raise DatabaseNotFound(f"There is no such database; the six are {', '.join(self._by_name)}")
        if not database.configured:
            raise DatabaseDisabled(f"{database.engine} is not configured; set {ENABLED_BY[database.name]} and restart to enable it")
        return database

    def close(self) -> None:
        """Close every connection of this process, of all six, even when closing one of them fails."""
        _close_all([database.close for database in self])


def _close_all(closers: list[Callable[[], None]]) -> None:
    errors = []
    for close in closers:
        try:
            close()
        except Exception as error:  # noqa: BLE001 - the others are closed first; then it is raised
            errors.append(error)
    if errors:
        raise ExceptionGroup("closing databases", errors)
