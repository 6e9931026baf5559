"""Instances that should get no calls for a while, because they did not answer when they were asked how they are."""

from collections.abc import Mapping

from gateway.configuration.model import Instance, Service
from gateway.targets import service_target

NONE: frozenset[str] = frozenset()


class AvoidedInstances:
    """What recoveries found out, for those who choose an instance. One assignment replaces it all: safe for threads."""

    def __init__(self) -> None:
        self._by_target: Mapping[str, frozenset[str]] = {}

    def replace(self, by_target: Mapping[str, frozenset[str]]) -> None:
        """Avoid these base URLs, by `service:<name>`, and no others."""
        self._by_target = by_target

    def spared(self, service: Service) -> tuple[Instance, ...]:
        """The instances that may be called: all of them when every one should be avoided."""
        avoided = self._by_target.get(service_target(service.name), NONE)
        return tuple(instance for instance in service.instances if instance.base_url not in avoided) or service.instances
