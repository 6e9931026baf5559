"""What is said about a database: frozen values, no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class DatabaseName(StrEnum):
    """The six databases, by the name that stands in paths, logs and settings."""

    POSTGRES = "postgres"
    DRAGONFLYDB = "dragonflydb"
    CLICKHOUSE = "clickhouse"
    WEAVIATE = "weaviate"
    ARANGODB = "arangodb"
    REDIS = "redis"


class Role(StrEnum):
    """What the gateway uses a database for."""

    TRANSACTIONAL = "transactional"
    CACHE = "cache"
    ANALYTICS = "analytics"
    VECTOR = "vector"
    GRAPH = "graph"
    LEGACY_CACHE = "legacy_cache"


class Status(StrEnum):
    """`degraded` is usable: slow, read-only, out of connections, or with a breaker that is not closed."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    DISABLED = "disabled"

    @property
    def usable(self) -> bool:
        return self in {Status.HEALTHY, Status.DEGRADED}


@dataclass(frozen=True)
class Ping:
    """The server answered. `version` as it names itself: "18.6", "6.2.14", "18.16.1"."""

    version: str


@dataclass(frozen=True)
class PoolStats:
    """The connections of this process: in use, idle (open, unused), their limit, and how often a caller found none free."""

    in_use: int
    idle: int
    limit: int
    waits: int


@dataclass(frozen=True)
class ResultSet:
    """What one read returned: c column names and n rows of length c, in the driver's own Python types.

    `truncated`: the engine had more than the caps on rows or bytes allow.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    truncated: bool = False


@dataclass(frozen=True)
class StatusError:
    """Why the last ping failed, in our words: `code` as in errors.py; `vendor_code` a number or prefix, never driver text."""

    kind: str
    code: str
    detail: str
    vendor_code: str | None = None


@dataclass(frozen=True)
class DatabaseStatus:
    """One database as the poller last saw it. `served_by` names who serves its role now: a database or one of FALLBACKS' other names."""

    name: DatabaseName
    engine: str
    role: Role
    status: Status
    served_by: str | None
    breaker: str
    timestamp: datetime
    latency_ms: float | None = None
    last_ok_at: datetime | None = None
    error: StatusError | None = None
    pool: PoolStats | None = None
    version: str | None = None


# Who serves a database's role when it is down or disabled, first choice first (design.md, "Six databases"; decision 5).
# Names that are no database: kept in this process, or in a file beside it.
FALLBACKS: Mapping[DatabaseName, tuple[str, ...]] = {
    DatabaseName.POSTGRES: ("last-known-good",),
    DatabaseName.DRAGONFLYDB: (DatabaseName.REDIS, "in-process"),
    DatabaseName.CLICKHOUSE: (DatabaseName.POSTGRES, "local-spool"),
    DatabaseName.WEAVIATE: (DatabaseName.POSTGRES, "fingerprint"),
    DatabaseName.ARANGODB: (DatabaseName.POSTGRES,),
    DatabaseName.REDIS: ("in-process",),
}


NAMES = frozenset(name.value for name in DatabaseName)


def served_by(name: DatabaseName, usable: Mapping[DatabaseName, bool]) -> str | None:
    """Who serves the role of `name`: itself, else the first of its fallbacks that is usable; None when nobody can."""
    for candidate in (name, *FALLBACKS[name]):
        if candidate not in NAMES or usable.get(DatabaseName(candidate), False):
            return str(candidate)
    return None
