"""What an exception of somebody else's code says about itself. Matched by module name: no vendor package is imported here."""

import errno
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.recovery.rules import (
    FORBIDDEN,
    INVALID,
    REFUSED,
    SLOW,
    TEXT,
    THROTTLED,
    UNREACHABLE,
    UPSTREAM,
    UPSTREAM_BROKEN,
    CodeKind,
    Verdict,
)

Code = tuple[CodeKind, str]


def _sqlstate(error: Any) -> Code | None:
    code = getattr(error, "pgcode", None) or getattr(type(error), "sqlstate", None)
    return (CodeKind.SQLSTATE, str(code)) if code else None


def _clickhouse_code(error: Any) -> Code | None:
    return (CodeKind.CLICKHOUSE, str(error.code)) if getattr(error, "code", None) else None


def _redis_prefix(error: Any) -> Code | None:
    status = getattr(error, "status_code", None)
    word = status or str(error).split(" ", 1)[0]
    return (CodeKind.REDIS, word) if word.isupper() and word.isalpha() else None


def _arango_number(error: Any) -> Code | None:
    number = getattr(error, "error_code", None) or getattr(error, "http_code", None)
    return (CodeKind.ARANGO, str(number)) if number else None


def _grpc_status(error: Any) -> Code | None:
    code = error.code() if callable(getattr(error, "code", None)) else None
    return (CodeKind.GRPC, code.name) if code is not None and hasattr(code, "name") else None


def _weaviate_status(error: Any) -> Code | None:
    """An HTTP status, or a gRPC number below 17 (weaviate.exceptions.UnexpectedStatusCodeError puts both in one place)."""
    status = getattr(error, "status_code", None)
    if status is None:
        return None
    return (CodeKind.GRPC, GRPC_NAMES[status]) if 0 <= status < len(GRPC_NAMES) else (CodeKind.HTTP, str(status))


def _http_status(error: Any) -> Code | None:
    answer = getattr(error, "response", None)
    status = getattr(answer, "status_code", None) or getattr(error, "code", None)
    return (CodeKind.HTTP, str(status)) if isinstance(status, int) else None


def errno_of(error: BaseException) -> Code | None:
    """The name of an operating-system error; a name that does not resolve is `EAI`."""
    if isinstance(error, socket.gaierror):
        return (CodeKind.ERRNO, "EAI")
    if isinstance(error, TimeoutError):
        return (CodeKind.ERRNO, "ETIMEDOUT")
    name = errno.errorcode.get(error.errno or 0) if isinstance(error, OSError) else None
    if name:
        return (CodeKind.ERRNO, name)
    return (CodeKind.ERRNO, "ECONNRESET") if isinstance(error, ConnectionError) else None


# In the order of their numbers, from 0.
GRPC_NAMES = (
    *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED"),
    *("RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"),
    "UNAUTHENTICATED",
)


@dataclass(frozen=True, slots=True)
class Vendor:
    """One driver: the source it stands for, where its code is, and whether it is a database's."""

    source: str
    read_code: Callable[[Any], Code | None]
    database: bool = True


VENDORS: Mapping[str, Vendor] = {
    "psycopg2": Vendor("postgres", _sqlstate),
    "sqlalchemy": Vendor("postgres", _sqlstate),
    "clickhouse_driver": Vendor("clickhouse", _clickhouse_code),
    "redis": Vendor("redis", _redis_prefix),
    "arango": Vendor("arangodb", _arango_number),
    "weaviate": Vendor("weaviate", _weaviate_status),
    "grpc": Vendor("weaviate", _grpc_status),
    "httpx": Vendor("weaviate", _http_status),
    "kombu": Vendor("broker", lambda _: None),
    "requests": Vendor("arangodb", _http_status),
    "urllib3": Vendor("http", _http_status, database=False),
    "werkzeug": Vendor("http", _http_status, database=False),
    "msgspec": Vendor("input", lambda _: None, database=False),
    "json": Vendor("input", lambda _: None, database=False),
}

# The vendor's type, where it says more than a code. Module and name of the class or of any of its bases; the nearest wins.
TYPES: Mapping[str, Verdict] = {
    "psycopg2.OperationalError": UNREACHABLE,
    "psycopg2.InterfaceError": UNREACHABLE,
    "psycopg2.ProgrammingError": INVALID,
    "psycopg2.DataError": INVALID,
    "sqlalchemy.exc.TimeoutError": UNREACHABLE,
    "sqlalchemy.exc.DisconnectionError": UNREACHABLE,
    "sqlalchemy.exc.ArgumentError": INVALID,
    "clickhouse_driver.errors.NetworkError": UNREACHABLE,
    "clickhouse_driver.errors.SocketTimeoutError": UNREACHABLE,
    "redis.exceptions.AuthenticationError": REFUSED,
    "redis.exceptions.AuthorizationError": REFUSED,
    "redis.exceptions.ConnectionError": UNREACHABLE,
    "redis.exceptions.TimeoutError": UNREACHABLE,
    "redis.exceptions.ReadOnlyError": UNREACHABLE,
    "redis.exceptions.OutOfMemoryError": UNREACHABLE,
    "redis.exceptions.ClusterError": UNREACHABLE,
    "redis.exceptions.NoPermissionError": FORBIDDEN,
    "redis.exceptions.DataError": INVALID,
    "weaviate.exceptions.WeaviateStartUpError": UNREACHABLE,
    "weaviate.exceptions.WeaviateConnectionError": UNREACHABLE,
    "weaviate.exceptions.WeaviateGRPCUnavailableError": UNREACHABLE,
    "weaviate.exceptions.WeaviateClosedClientError": UNREACHABLE,
    "weaviate.exceptions.WeaviateRetryError": UNREACHABLE,
    "weaviate.exceptions.WeaviateTimeoutError": UNREACHABLE,
    "weaviate.exceptions.AuthenticationFailedError": REFUSED,
    "weaviate.exceptions.MissingScopeError": REFUSED,
    "weaviate.exceptions.InsufficientPermissionsError": FORBIDDEN,
    "weaviate.exceptions.WeaviateInvalidInputError": INVALID,
    "weaviate.exceptions.SchemaValidationError": INVALID,
    "weaviate.exceptions.InvalidDataModelError": INVALID,
    "arango.exceptions.ServerConnectionError": UNREACHABLE,
    "arango.exceptions.JWTAuthError": REFUSED,
    "arango.exceptions.JWTExpiredError": REFUSED,
    "arango.exceptions.DocumentParseError": INVALID,
    "kombu.exceptions.OperationalError": UNREACHABLE,
    "kombu.exceptions.LimitExceeded": THROTTLED,
    "urllib3.exceptions.TimeoutError": SLOW,
    "urllib3.exceptions.NewConnectionError": UPSTREAM,
    "urllib3.exceptions.ProtocolError": UPSTREAM,
    "urllib3.exceptions.SSLError": UPSTREAM_BROKEN,
    "urllib3.exceptions.DecodeError": UPSTREAM_BROKEN,
    "urllib3.exceptions.LocationValueError": INVALID,
    "urllib3.exceptions.HTTPError": UPSTREAM,
    "httpx.TimeoutException": UNREACHABLE,
    "httpx.TransportError": UNREACHABLE,
    "requests.exceptions.Timeout": UNREACHABLE,
    "requests.exceptions.ConnectionError": UNREACHABLE,
    "msgspec.ValidationError": INVALID,
    "json.decoder.JSONDecodeError": INVALID,
}


def vendor_of(error: BaseException) -> Vendor | None:
    """The driver whose class this is, or derives from; None when it is nobody's we know."""
    for kind in type(error).__mro__:
        vendor = VENDORS.get(kind.__module__.partition(".")[0])
        if vendor:
            return vendor
    return None


def verdict_of_type(error: BaseException) -> Verdict | None:
    """What the vendor's class says; the nearest base in TYPES wins."""
    for kind in type(error).__mro__:
        verdict = TYPES.get(f"{kind.__module__}.{kind.__qualname__}")
        if verdict:
            return verdict
    return None


def verdict_of_text(source: str, text: str) -> Verdict | None:
    """What the engine's prose says: the last resort."""
    lowered = text[:400].lower()
    return next((verdict for words, verdict in TEXT.get(source, ()) if words in lowered), None)
