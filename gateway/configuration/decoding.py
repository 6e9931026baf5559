"""From the service's JSON to the values of this room. Extra fields are ignored; a missing or misshapen one that matters is refused.

Source: contracts/configuration-service.md.
"""

import re
from collections.abc import Mapping
from typing import Any, NoReturn

from gateway.configuration.model import ConfigValue, FlowPage, Instance, Service
from gateway.errors import UpstreamInvalid

MAX_PORT = 65535
DIGITS = re.compile(r"[0-9]{1,18}")


def read_config(body: Any) -> ConfigValue:
    """A value and its layer.

    Raises:
        UpstreamInvalid: `key` or `value` is missing.
    """
    if not isinstance(body, Mapping) or not isinstance(body.get("key"), str) or "value" not in body:
        _refuse("a configuration value")
    return ConfigValue(
        key=body["key"],
        value=body["value"],
        type=_text(body.get("type")),
        environment=_text(body.get("environment")),
        tenant_id=_text(body.get("tenantId")),
        user_id=_text(body.get("userId")),
        version=_whole(body.get("version")),
        updated_at=_text(body.get("updatedAt")),
        id=_text(body.get("id")),
        is_secret=body.get("isSecret") is True,
    )


def read_services(body: Any) -> tuple[Service, ...]:
    """The list of all services.

    Raises:
        UpstreamInvalid: it is no list of services.
    """
    if not isinstance(body, list):
        _refuse("a list of services")
    return tuple(read_service(item) for item in body)


def read_service(body: Any) -> Service:
    """One service; when it lists no instances, its own host and port are the one.

    Raises:
        UpstreamInvalid: the name, or an instance's host or port, is missing.
    """
    if not isinstance(body, Mapping) or not isinstance(body.get("name"), str):
        _refuse("a service")
    instances = body.get("instances")
    listed = instances if isinstance(instances, list) else [body] if "host" in body else []
    return Service(
        name=body["name"],
        status=str(body.get("status", "healthy")),
        instances=tuple(_read_instance(item) for item in listed),
        version=_text(body.get("version")),
    )


def _read_instance(body: Any) -> Instance:
    if not isinstance(body, Mapping) or not isinstance(body.get("host"), str) or not _is_port(body.get("port")):
        _refuse("an instance of a service")
    capabilities = body.get("capabilities")
    metadata = body.get("metadata")
    return Instance(
        id=_text(body.get("id")),
        host=body["host"],
        port=body["port"],
        protocol=_text(body.get("protocol")) or "http",
        health_endpoint=_text(body.get("healthEndpoint")),
        capabilities=tuple(str(word) for word in capabilities) if isinstance(capabilities, list) else (),
        metadata=dict(metadata) if isinstance(metadata, Mapping) else {},
        expires_at=_text(body.get("expiresAt")),
        status=_text(body.get("status")),
    )


def _is_port(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_PORT


def read_page(body: Any) -> FlowPage:
    """One page of flows, from the whole envelope.

    Raises:
        UpstreamInvalid: `data` is no list of objects, or `pagination` lacks page, limit or totalCount.
    """
    documents = body.get("data") if isinstance(body, Mapping) else None
    pagination = body.get("pagination") if isinstance(body, Mapping) else None
    if not isinstance(documents, list) or not all(isinstance(item, dict) for item in documents) or not isinstance(pagination, Mapping):
        _refuse("a page of flows")
    page, limit, total = (_whole(pagination.get(name)) for name in ("page", "limit", "totalCount"))
    if not page or not limit or total is None:
        _refuse("a page of flows")
    return FlowPage(tuple(documents), page, limit, total)


def _text(value: Any) -> str | None:
    """A text, or a number as one, as other services may write ids and versions; anything else counts as absent."""
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def _whole(value: Any) -> int | None:
    """A whole number >= 0, also when it is written as a text; anything else counts as absent."""
    if isinstance(value, str):
        return int(value) if DIGITS.fullmatch(value) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _refuse(what: str) -> NoReturn:
    raise UpstreamInvalid(f"The Configuration Service answered something that is not {what}")
