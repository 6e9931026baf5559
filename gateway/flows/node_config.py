"""The configs of our own two node kinds, checked when a flow is registered. A string that holds `${…}` fits everywhere: what it gives is
checked when the node runs.

Source: contracts/configuration-service.md, "How the gateway runs a definition". In JSON the default of `expect`, [200..299], is
`["200..299"]`; `204` and `"2xx"` are accepted too, alone or in a list.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any

from gateway.errors import FieldError
from gateway.flows.limits import pointer_to
from gateway.flows.templates import holds_expression

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OWN_HEADERS = frozenset({"idempotency-key", "x-request-id", "host", "content-length", "transfer-encoding", "connection"})
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")  # RFC 9110, token
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
STATUSES = re.compile(r"([1-5][0-9]{2})(?:\.\.([1-5][0-9]{2}))?|[1-5][xX]{2}")
MAX_TIMEOUT_MS = 600_000


class NodeKind(StrEnum):
    """Our own node types; any other word is a capability of a registered service."""

    SERVICE = "service"
    TRANSFORM = "transform"


def config_problems(node_type: str, config: Mapping[str, Any]) -> list[FieldError]:
    """What is wrong with the config of a node of this type; pointers into the config. Other types' configs are their services' business."""
    if node_type == NodeKind.SERVICE:
        return [*_problems(config, SERVICE_FIELDS, required=("service", "path"))]
    if node_type == NodeKind.TRANSFORM:
        return [*_problems(config, {"output": _anything}, required=("output",))]
    return []


Check = Callable[[Any], Iterator[FieldError]]


def _problems(config: Mapping[str, Any], checks: Mapping[str, Check], required: tuple[str, ...]) -> Iterator[FieldError]:
    for name in required:
        if name not in config:
            yield FieldError(pointer_to(name), "is required")
    for name, value in config.items():
        if name not in checks:
            yield FieldError(pointer_to(name), f"is no field of this node type; it has {', '.join(checks)}")
        elif not _is_template(value):
            yield from (FieldError(pointer_to(name) + each.pointer, each.detail) for each in checks[name](value))


def _is_template(value: object) -> bool:
    return isinstance(value, str) and holds_expression(value)


def _anything(value: Any) -> Iterator[FieldError]:  # noqa: ARG001 a check like its siblings
    yield from ()


def _service(value: Any) -> Iterator[FieldError]:
    if not isinstance(value, str) or not 1 <= len(value) <= 255:
        yield FieldError("", "must be the name of a service, at most 255 characters")


def _method(value: Any) -> Iterator[FieldError]:
    if not isinstance(value, str) or value.upper() not in METHODS:
        yield FieldError("", f"must be one of {', '.join(sorted(METHODS))}")


def _path(value: Any) -> Iterator[FieldError]:
    if not isinstance(value, str) or not value.startswith("/") or CONTROL.search(value):
        yield FieldError("", "must be a text that begins with / and holds no control characters")


def _headers(value: Any) -> Iterator[FieldError]:
    if not isinstance(value, Mapping):
        yield FieldError("", "must be an object")
        return
    for name, text in value.items():
        if not HEADER_NAME.fullmatch(name):
            yield FieldError(pointer_to(name), "is no HTTP header name")
        elif name.lower() in OWN_HEADERS:
            yield FieldError(pointer_to(name), "is set by the gateway")
        elif not _is_scalar(text) or CONTROL.search(str(text)):
            yield FieldError(pointer_to(name), "must be one line of text")


def _query(value: Any) -> Iterator[FieldError]:
    if not isinstance(value, Mapping):
        yield FieldError("", "must be an object")
        return
    for name, item in value.items():
        if not all(_is_scalar(each) for each in (item if isinstance(item, list) else [item])):
            yield FieldError(pointer_to(name), "must be a text, a number, true or false, or a list of them")


def _timeout(value: Any) -> Iterator[FieldError]:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1 <= value <= MAX_TIMEOUT_MS:
        yield FieldError("", f"must be a number of milliseconds from 1 to {MAX_TIMEOUT_MS}")


def _expect(value: Any) -> Iterator[FieldError]:
    for index, item in enumerate(value if isinstance(value, list) else [value]):
        if not _is_template(item) and not _is_statuses(item):
            yield FieldError(f"/{index}" if isinstance(value, list) else "", 'must be a status: 200, "200..299" or "2xx"')


def _is_statuses(item: object) -> bool:
    if isinstance(item, (int, float)):
        return not isinstance(item, bool) and item == int(item) and 100 <= item <= 599
    match = STATUSES.fullmatch(item) if isinstance(item, str) else None
    return match is not None and int(match[1] or 0) <= int(match[2] or 599)


def _is_scalar(value: object) -> bool:
    return isinstance(value, (str, int, float))


SERVICE_FIELDS: Mapping[str, Check] = {
    "service": _service,
    "method": _method,
    "path": _path,
    "headers": _headers,
    "query": _query,
    "body": _anything,
    "timeoutMs": _timeout,
    "expect": _expect,
}
