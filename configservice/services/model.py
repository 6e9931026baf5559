"""Values of the services room. No I/O."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Instance:
    """One address of a service and its lease. `alive` as PostgreSQL's clock says at the time of reading."""

    id: str
    name: str
    version: str
    host: str
    port: int
    protocol: str
    health_endpoint: str
    capabilities: tuple[str, ...]
    metadata: dict[str, Any]
    expires_at: datetime
    alive: bool


@dataclass(frozen=True)
class Lease:
    """What a registration is worth: until when it counts as alive."""

    id: str
    ttl_seconds: int
    expires_at: datetime


@dataclass(frozen=True)
class Service:
    """All instances of one name: the alive ones, or, when none is, the expired ones. Newest registration first."""

    name: str
    version: str
    alive: bool
    instances: tuple[Instance, ...]


def group_by_name(instances: Iterable[Instance]) -> list[Service]:
    """The services of these instances, in the order of their first instance. The version is that of the newest registration shown."""
    named: dict[str, list[Instance]] = {}
    for instance in instances:
        named.setdefault(instance.name, []).append(instance)
    return [_service(name, tuple(members)) for name, members in named.items()]


def _service(name: str, members: tuple[Instance, ...]) -> Service:
    alive = tuple(each for each in members if each.alive)
    shown = alive or members
    return Service(name, shown[0].version, bool(alive), shown)
