"""The config of a `service` node, checked after its expressions were rendered: what they gave may be anything."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlencode

from gateway.errors import FieldError, InvalidInput
from gateway.executions.kinds.call import DEFAULT_TIMEOUT_MS, json_bytes
from gateway.flows.node_config import MAX_TIMEOUT_MS, METHODS, OWN_HEADERS

SAFE_IN_PATH = "/%:@!$&'()*+,;=-._~?"
DOT_SEGMENTS = frozenset({".", ".."})  # they would be taken away on the way, and another path called (RFC 3986 §5.2.4)
DEFAULT_EXPECT = frozenset(range(200, 300))


@dataclass(frozen=True)
class ServiceRequest:
    """One call to a service. `path` begins with a slash and carries the query; `body` is None for no body."""

    service: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None
    timeout_seconds: float
    expect: frozenset[int]


def read_request(config: Mapping[str, Any]) -> ServiceRequest:
    """Read a rendered config.

    Raises:
        InvalidInput: names the field.
    """
    headers = _headers(config.get("headers") or {})
    body = _body(config["body"], headers) if "body" in config else None
    return ServiceRequest(
        service=_text(config, "service"),
        method=_method(config.get("method", "POST")),
        path=_path(_text(config, "path"), config.get("query") or {}),
        headers=headers,
        body=body,
        timeout_seconds=read_timeout_seconds(config.get("timeoutMs", DEFAULT_TIMEOUT_MS)),
        expect=_expect(config["expect"]) if config.get("expect") is not None else DEFAULT_EXPECT,
    )


def read_timeout_seconds(value: object) -> float:
    """Milliseconds of a config as seconds.

    Raises:
        InvalidInput: no number, or outside of 1 ms to 10 minutes.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1 <= value <= MAX_TIMEOUT_MS:
        raise _invalid("timeoutMs", f"must be a number from 1 to {MAX_TIMEOUT_MS}")
    return value / 1000


def _text(config: Mapping[str, Any], name: str) -> str:
    value = config.get(name)
    if not isinstance(value, str) or not value:
        raise _invalid(name, "must be a text that is not empty")
    return value


def _method(value: object) -> str:
    method = value.upper() if isinstance(value, str) else ""
    if method not in METHODS:
        raise _invalid("method", f"must be one of {', '.join(sorted(METHODS))}")
    return method


def _path(path: str, query: object) -> str:
    if not path.startswith("/"):
        raise _invalid("path", "must begin with /")
    if any(unquote(segment) in DOT_SEGMENTS for segment in path.partition("?")[0].split("/")):
        raise _invalid("path", "must not hold the segments . and ..")
    if not isinstance(query, Mapping):
        raise _invalid("query", "must be an object")
    encoded = quote(path, safe=SAFE_IN_PATH)
    pairs = [(str(name), _query_text(each)) for name, value in query.items() for each in (value if isinstance(value, list) else [value])]
    if not pairs:
        return encoded
    return encoded + ("&" if "?" in encoded else "?") + urlencode(pairs)


def _query_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, (dict, list)):
        raise _invalid("query", "may hold texts, numbers, booleans and lists of them")
    return str(value)


def _headers(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise _invalid("headers", "must be an object")
    headers = {}
    for name, text in value.items():
        if name.lower() in OWN_HEADERS:
            raise _invalid(f"headers/{name}", "is set by the gateway")
        if isinstance(text, (dict, list)) or text is None or any(character in f"{name}{text}" for character in "\r\n\0"):
            raise _invalid(f"headers/{name}", "must be one line of text")
        headers[name] = _query_text(text)
    return headers


def _body(value: Any, headers: dict[str, str]) -> bytes:
    content_type = next((text for name, text in headers.items() if name.lower() == "content-type"), None)
    if content_type is None:
        headers["Content-Type"] = "application/json"
    elif isinstance(value, str) and "json" not in content_type.lower():
        return value.encode()
    return json_bytes(value)


def _expect(value: object) -> frozenset[int]:
    """Statuses as numbers, as `"200..299"` or as `"2xx"`, alone or in a list."""
    accepted: set[int] = set()
    for each in value if isinstance(value, list) else [value]:
        accepted.update(_statuses(each))
    return frozenset(accepted)


def _statuses(value: object) -> range:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value == int(value) and 100 <= value <= 599:
        return range(int(value), int(value) + 1)
    if isinstance(value, str):
        first, _, last = value.partition("..")
        if len(value) == 3 and value[0] in "12345" and value[1:].lower() == "xx":
            return range(int(value[0]) * 100, int(value[0]) * 100 + 100)
        if first.isdecimal() and (last.isdecimal() or not last) and 100 <= int(first) <= int(last or first) <= 599:
            return range(int(first), int(last or first) + 1)
    raise _invalid("expect", 'must hold statuses: 200, "200..299" or "2xx"')


def _invalid(field: str, detail: str) -> InvalidInput:
    return InvalidInput(f"The config of the node is not usable: {field} {detail}", [FieldError(f"/config/{field}", detail)])
