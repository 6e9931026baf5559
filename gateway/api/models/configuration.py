"""Configuration values and services on the wire."""

from typing import Annotated, Any

from msgspec import Meta, structs

from gateway.api.models.common import JsonObject, Query, Wire
from gateway.configuration.model import ConfigValue, Instance, Known, Service

Scope = Annotated[str, Meta(max_length=100)]


class Layers(Query, frozen=True):
    """Whose value of a key is asked for: user over tenant over environment over `global`."""

    environment: Scope | None = None
    tenant_id: Scope | None = None
    user_id: Scope | None = None


class ConfigShape(Wire, frozen=True):
    """The value that wins for a key, and the layer it came from."""

    key: str
    value: Any
    type: str | None
    environment: str | None
    tenant_id: str | None
    user_id: str | None
    version: int | None
    updated_at: str | None
    stale: Annotated[bool, Meta(description="The Configuration Service cannot be asked: this is the last known good value")]
    age_seconds: float
    source: str

    @classmethod
    def of(cls, known: Known[ConfigValue]) -> "ConfigShape":
        """The value and how good it is."""
        value = {name: getattr(known.value, name) for name in cls.__struct_fields__ if hasattr(known.value, name)}
        return cls(**value, stale=known.stale, age_seconds=round(known.age_seconds, 3), source=str(known.source))


class InstanceShape(Wire, frozen=True):
    """One address of a service."""

    id: str | None
    host: str
    port: int
    protocol: str
    health_endpoint: str | None
    capabilities: list[str]
    metadata: JsonObject
    expires_at: str | None


class ServiceShape(Wire, frozen=True):
    """A registered service and its instances."""

    name: str
    version: str | None
    status: str
    instances: list[InstanceShape]


class DiscoveredShape(ServiceShape, frozen=True):
    """One healthy instance to call, and all."""

    host: str
    port: int
    protocol: str
    instance: InstanceShape
    stale: bool


def discovered(known: Known[Service], chosen: Instance) -> DiscoveredShape:
    """The service, with the instance that was chosen."""
    service = ServiceShape.made_from(known.value)
    instance = InstanceShape.made_from(chosen)
    return DiscoveredShape(
        **structs.asdict(service),
        host=instance.host,
        port=instance.port,
        protocol=instance.protocol,
        instance=instance,
        stale=known.stale,
    )
