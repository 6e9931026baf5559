"""Configuration values and services, as the rest of the gateway reads them."""

import itertools
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from config.groups import ConfigurationSettings
from gateway.configuration.avoiding import AvoidedInstances
from gateway.configuration.client import ConfigurationServiceClient
from gateway.configuration.decoding import read_config, read_service, read_services
from gateway.configuration.errors import ConfigurationUnavailable, NotOffered, ServiceNotFound
from gateway.configuration.memory import Kind
from gateway.configuration.model import ConfigValue, Instance, Known, Service, Source
from gateway.configuration.reader import Reader

EVERY_SERVICE = "*"
COPIES = (Source.MEMORY, Source.SHARED_CACHE)
SECRET_NAME = re.compile(r"passw|secret|token|credential|(api|private|access|encryption)[-_.]?key", re.IGNORECASE)


class Configuration:
    """Layered configuration values: user over tenant over environment over global, decided by the service."""

    def __init__(self, client: ConfigurationServiceClient, reader: Reader, settings: ConfigurationSettings) -> None:
        self._client = client
        self._reader = reader
        self._fresh_seconds = settings.config_fresh_seconds

    def get_value(
        self, key: str, *, environment: str | None = None, tenant_id: str | None = None, user_id: str | None = None
    ) -> Known[ConfigValue]:
        """The value that wins for these layers.

        A copy answers only the very combination of layers that it was given for: what is global for one tenant may not be for another.
        That a value does not exist is never remembered.

        Raises:
            ConfigNotFound: no layer has it. ConfigurationUnavailable, UpstreamInvalid: it cannot be asked and no copy is known.
            InvalidInput: the service refuses the key or a layer's name.
        """
        return self._reader.read(
            Kind.CONFIG,
            json.dumps([key, environment, tenant_id, user_id]),
            lambda: self._client.get_config(key, environment, tenant_id, user_id),
            fresh_seconds=self._fresh_seconds,
            lasting=_may_be_written,
        ).map(read_config)


def _may_be_written(body: dict[str, Any]) -> bool:
    """Secrets stay in memory: those that the service marks, and those whose name says so, since not every service marks them."""
    return not (body.get("isSecret") is True or SECRET_NAME.search(str(body["key"])))


class Services:
    """Service discovery. What this service does not offer counts as nothing registered."""

    def __init__(
        self, client: ConfigurationServiceClient, reader: Reader, settings: ConfigurationSettings, avoided: AvoidedInstances | None = None
    ) -> None:
        self._client = client
        self._reader = reader
        self._fresh_seconds = settings.services_fresh_seconds
        self._avoided = avoided or AvoidedInstances()
        self._turns: defaultdict[str, Iterator[int]] = defaultdict(itertools.count)

    def ping(self) -> None:
        """Ask the Configuration Service itself how it is: no copy speaks for it, and a breaker that is open keeps nobody from asking.

        Raises:
            ConfigurationUnavailable, UpstreamInvalid: it does not serve.
        """
        self._client.check_health()

    def list_services(self) -> Known[tuple[Service, ...]]:
        """Every registered service with its instances, expired ones too.

        Raises:
            ConfigurationUnavailable, UpstreamInvalid: it cannot be asked and no copy is known.
        """
        return self._list(self._fresh_seconds)

    def _list(self, fresh_seconds: float) -> Known[tuple[Service, ...]]:
        try:
            known = self._reader.read(Kind.SERVICES, EVERY_SERVICE, self._client.list_services, fresh_seconds=fresh_seconds)
        except NotOffered:
            return Known((), 0.0, stale=False, source=Source.SERVICE)
        return known.map(read_services)

    def discover(self, name: str) -> Known[Service]:
        """The service and its living instances, at least one.

        Raises:
            ServiceNotFound: none is alive. ConfigurationUnavailable, UpstreamInvalid: it cannot be asked and no copy is known.
        """
        return self._discover(name, self._fresh_seconds)

    def rediscover(self, name: str) -> Service:
        """The service as the registry knows it now, never from a copy.

        Raises:
            ServiceNotFound: none is alive. ConfigurationUnavailable, UpstreamInvalid: the service cannot be asked.
        """
        known = self._discover(name, fresh_seconds=0.0)
        if known.stale:
            raise ConfigurationUnavailable("The Configuration Service cannot be asked; only an old copy is known")
        return known.value

    def _discover(self, name: str, fresh_seconds: float) -> Known[Service]:
        try:
            known = self._reader.read(Kind.SERVICE, name, lambda: self._client.discover(name), fresh_seconds=fresh_seconds)
        except NotOffered as error:
            raise ServiceNotFound(f"No instance of {name!r} is known: the Configuration Service offers no service discovery") from error
        service = known.map(read_service)
        if not service.value.instances:
            raise ServiceNotFound(f"No healthy instance of {name!r} is registered")
        return service

    def find_capable(self, capability: str) -> Service | None:
        """A living service with only those of its instances that hold the capability; the first by name when several do.

        A copy in which nobody holds it is not believed: who came since is not in it.

        Raises:
            ConfigurationUnavailable, UpstreamInvalid: it cannot be asked and no copy is known.
        """
        known = self.list_services()
        found = _find_capable(known.value, capability)
        return _find_capable(self._list(fresh_seconds=0.0).value, capability) if found is None and known.source in COPIES else found

    def rediscover_capable(self, capability: str) -> Service:
        """The same as the registry knows it now, never from a copy.

        Raises:
            ServiceNotFound: nobody alive holds it. ConfigurationUnavailable, UpstreamInvalid: the service cannot be asked.
        """
        known = self._list(fresh_seconds=0.0)
        if known.stale:
            raise ConfigurationUnavailable("The Configuration Service cannot be asked; only an old copy is known")
        found = _find_capable(known.value, capability)
        if found is None:
            raise ServiceNotFound(f"No healthy service has the capability {capability!r}")
        return found

    def choose_instance(self, service: Service) -> Instance:
        """One of its instances, each in turn; one that should be avoided only when there is no other.

        Raises:
            ServiceNotFound: it has none.
        """
        if not service.instances:
            raise ServiceNotFound(f"No healthy instance of {service.name!r} is registered")
        spared = self._avoided.spared(service)
        return spared[next(self._turns[service.name]) % len(spared)]


def _find_capable(services: Iterable[Service], capability: str) -> Service | None:
    capable = (_narrow(each, capability) for each in services)
    return min((service for service in capable if service.is_healthy), key=lambda service: service.name, default=None)


def _narrow(service: Service, capability: str) -> Service:
    holding = tuple(instance for instance in service.instances if capability in instance.capabilities)
    return Service(service.name, service.status, holding, service.version)
