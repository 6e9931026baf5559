"""The values that this room hands out. Shapes only, no I/O; JSON over the wire is camelCase, these are snake_case."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Source(StrEnum):
    """Where an answer came from."""

    SERVICE = "configuration-service"  # asked just now
    MEMORY = "memory"  # this process's copy
    SHARED_CACHE = "shared-cache"  # the copy of another process, by the Cache role
    LAST_KNOWN_GOOD = "last-known-good"  # any copy, in PostgreSQL at last


class CopyState(StrEnum):
    """How a copy stands to the service. Only flows are ever anything but known."""

    KNOWN = "known"  # the service gave it
    PENDING = "pending"  # accepted here while the registry was down; its upload waits in the outbox
    CONFLICTED = "conflicted"  # the registry holds another flow of this id, or of this name and version
    REFUSED = "refused"  # the registry's rules refuse it


@dataclass(frozen=True)
class Known(Generic[T]):
    """A value and how good it is.

    `age_seconds`: since the Configuration Service gave it, >= 0. `stale`: older than it should be, because the service cannot be asked.
    `state` and `problem`: of a flow whose upload waits or failed.
    """

    value: T
    age_seconds: float
    stale: bool
    source: Source
    state: CopyState = CopyState.KNOWN
    problem: str | None = None

    def map(self, change: Callable[[T], R]) -> "Known[R]":
        """The same goodness, another value."""
        return replace(self, value=change(self.value))  # type: ignore[arg-type,return-value]  # replace() cannot change the parameter


@dataclass(frozen=True)
class ConfigValue:
    """The value that wins for a key, and the layer it came from. `updated_at`: ISO 8601, as the service wrote it."""

    key: str
    value: Any
    type: str | None = None
    environment: str | None = None
    tenant_id: str | None = None
    user_id: str | None = None
    version: int | None = None
    updated_at: str | None = None
    id: str | None = None
    is_secret: bool = False


@dataclass(frozen=True)
class Instance:
    """One address of a service. `expires_at`: end of its lease, ISO 8601."""

    host: str
    port: int
    id: str | None = None
    protocol: str = "http"
    health_endpoint: str | None = None
    capabilities: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    expires_at: str | None = None
    status: str | None = None

    @property
    def base_url(self) -> str:
        """`protocol://host:port`, with an IPv6 address in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.protocol}://{host}:{self.port}"


@dataclass(frozen=True)
class Service:
    """A registered service and its instances. `status`: healthy when at least one instance holds its lease, else expired."""

    name: str
    status: str
    instances: tuple[Instance, ...]
    version: str | None = None

    @property
    def is_healthy(self) -> bool:
        """Whether the registry counts it as alive."""
        return self.status == "healthy" and bool(self.instances)


@dataclass(frozen=True)
class FlowFilters:
    """What a list of flows is narrowed and sorted by; None leaves a filter out. Without `status` all that runs."""

    type: str | None = None
    status: str | None = None
    created_by: str | None = None
    tags: tuple[str, ...] = ()
    sort_by: str | None = None
    sort_order: str | None = None
    include_archived: bool = False


@dataclass(frozen=True)
class FlowPage:
    """One page of flow documents: number `page` (1 is the first) of `total` flows, `limit` on each."""

    documents: tuple[dict[str, Any], ...]
    page: int
    limit: int
    total: int

    @property
    def has_next(self) -> bool:
        """Whether a page follows."""
        return self.page * self.limit < self.total


@dataclass(frozen=True)
class Registered:
    """A flow that was accepted. `pending`: the registry was down and the upload waits in the outbox."""

    document: dict[str, Any]
    pending: bool
