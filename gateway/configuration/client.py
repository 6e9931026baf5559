"""The Configuration Service's endpoints for configuration and services, one method each.

How "not offered" is told from "not there", endpoint by endpoint (404 or 405 of …):

- `GET /api/v1/config`: 405 means not offered. 404 says either, unless it has worked before: then it is final. Otherwise
  `GET /api/config/{key}` decides: 404 there too means that no such value exists. A value there means that the first is not offered, but
  our own service offers both, and the value may have been written between the two calls: so the first is asked once more.
- `POST /services/register`, `GET /services`, `GET /health`: the path names no resource, so not offered.
- `PUT /services/{id}/heartbeat`: 404 means that the lease is gone (registering was offered before), 405 not offered.
- `DELETE /services/{id}`: either way there is nothing left to give up.
- `GET /services/discover/{name}`: 404 says either, and either way no instance is known. When the list of services is known not to be
  offered, discovery is not asked.
"""

from http import HTTPStatus
from typing import Any

from gateway.configuration.decoding import read_config, read_service, read_services
from gateway.configuration.errors import ConfigNotFound, NotOffered, ServiceNotFound
from gateway.configuration.offers import Endpoint
from gateway.configuration.transport import NO_ENDPOINT, Transport, data_of, object_of, segment
from gateway.errors import InvalidInput, UpstreamInvalid


class ConfigurationServiceClient:
    """Speaks to the Configuration Service; keeps nothing but what it offers.

    Every method raises ConfigurationUnavailable when the service cannot serve, and UpstreamInvalid when it answers something unusable.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def check_health(self) -> dict[str, Any]:
        """The service's own health object. Asks even while it is known to be down."""
        return object_of(self._transport.call_offered(Endpoint.HEALTH, "/health", urgent=True))

    def get_config(self, key: str, environment: str | None, tenant_id: str | None, user_id: str | None) -> dict[str, Any]:
        """The value that wins, as the service writes it.

        Raises:
            ConfigNotFound: no layer has it; InvalidInput: the service refuses the key or a layer's name.
        """
        given = {"key": key, "environment": environment, "tenantId": tenant_id, "userId": user_id}
        query = {name: value for name, value in given.items() if value is not None}
        if self._transport.offers.is_missing(Endpoint.CONFIG):
            return self._get_platform_config(key)
        found = self._find_config(query)
        if found is None and self._transport.offers.is_offered(Endpoint.CONFIG):
            raise ConfigNotFound(f"No configuration value is set for {key!r}")
        if found is None:
            platform = self._get_platform_config(key)
            found = self._find_config(query)
            if found is None:
                self._transport.offers.missed(Endpoint.CONFIG)
                return platform
        return found

    def _find_config(self, query: dict[str, str]) -> dict[str, Any] | None:
        """None for 404 and 405, whatever they mean."""
        answer = self._transport.call(Endpoint.CONFIG, "/api/v1/config", query=query)
        if answer.status == HTTPStatus.OK:
            self._transport.offers.found(Endpoint.CONFIG)
            return _checked_config(data_of(answer))
        if answer.status in NO_ENDPOINT:
            return None
        raise InvalidInput("The Configuration Service refuses this configuration key or layer")

    def _get_platform_config(self, key: str) -> dict[str, Any]:
        """From the endpoint that the platform's own service has; it knows no layers."""
        answer = self._transport.call(Endpoint.PLATFORM_CONFIG, f"/api/config/{segment(key)}")
        if answer.status != HTTPStatus.OK:
            raise ConfigNotFound(f"No configuration value is set for {key!r}")
        return _checked_config(object_of(answer).get("config"))

    def register_service(self, registration: dict[str, Any], *, timeout_seconds: float | None = None) -> dict[str, Any]:
        """Register, or renew the same name, host and port. Returns {id, ttlSeconds, expiresAt}.

        Raises:
            NotOffered: this service keeps no services.
        """
        answer = self._transport.call_offered(
            Endpoint.REGISTER, "/api/v1/services/register", json=registration, urgent=True, timeout_seconds=timeout_seconds
        )
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise UpstreamInvalid(f"The Configuration Service refuses the registration: {answer.status}")
        lease = data_of(answer)
        if not isinstance(lease, dict) or not isinstance(lease.get("id"), str | int):
            raise UpstreamInvalid("The Configuration Service answered a registration without an id")
        return lease

    def renew_service(self, service_id: str) -> bool:
        """Renew the lease. False when it is gone, and registering anew is due."""
        answer = self._transport.call(Endpoint.HEARTBEAT, f"/api/v1/services/{segment(service_id)}/heartbeat", json={}, urgent=True)
        return answer.status < HTTPStatus.BAD_REQUEST

    def leave_service(self, service_id: str, *, timeout_seconds: float) -> None:
        """Give the lease up."""
        path = f"/api/v1/services/{segment(service_id)}"
        self._transport.call(Endpoint.LEAVE, path, urgent=True, timeout_seconds=timeout_seconds)

    def list_services(self) -> list[Any]:
        """Every registered service.

        Raises:
            NotOffered: this service keeps no services.
        """
        body = data_of(self._transport.call_offered(Endpoint.SERVICES, "/api/v1/services"))
        read_services(body)
        return list(body)

    def discover(self, name: str) -> dict[str, Any]:
        """The service and its living instances.

        Raises:
            ServiceNotFound: none is alive; NotOffered: this service keeps no services.
        """
        if self._transport.offers.is_missing(Endpoint.SERVICES):
            raise NotOffered(f"The Configuration Service does not offer {Endpoint.DISCOVER}")
        answer = self._transport.call(Endpoint.DISCOVER, f"/api/v1/services/discover/{segment(name)}")
        if answer.status != HTTPStatus.OK:
            raise ServiceNotFound(f"No healthy instance of {name!r} is registered")
        body = data_of(answer)
        read_service(body)
        return dict(body)


def _checked_config(body: Any) -> dict[str, Any]:
    read_config(body)
    return dict(body)
