"""The tables that classify a code. Data only: the walk over them stands in `classify.py`.

Sources: PostgreSQL manual, appendix A (SQLSTATE) · ClickHouse src/Common/ErrorCodes.cpp · Redis protocol, simple errors ·
ArangoDB manual, error codes · grpc.io/docs/guides/status-codes · RFC 9110 §15 · errno(3).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from gateway.recovery.model import FaultType


class CodeKind(StrEnum):
    """Whose code it is."""

    SQLSTATE = "sqlstate"
    CLICKHOUSE = "clickhouse"
    REDIS = "redis"
    ARANGO = "arango"
    GRPC = "grpc"
    HTTP = "http"
    ERRNO = "errno"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule says: the type, and whether the same call may succeed later."""

    type: FaultType
    retryable: bool


UNREACHABLE = Verdict(FaultType.DATABASE_CONNECTION, retryable=True)
REFUSED = Verdict(FaultType.DATABASE_CONNECTION, retryable=False)  # our credentials or our address: an operator must act
SLOW = Verdict(FaultType.TIMEOUT, retryable=True)
THROTTLED = Verdict(FaultType.RATE_LIMIT, retryable=True)
INVALID = Verdict(FaultType.VALIDATION, retryable=False)
MISSING = Verdict(FaultType.NOT_FOUND, retryable=False)
COLLIDED = Verdict(FaultType.CONFLICT, retryable=True)  # somebody else won this time
EXISTS = Verdict(FaultType.CONFLICT, retryable=False)
UNAUTHENTICATED = Verdict(FaultType.AUTHENTICATION, retryable=False)
FORBIDDEN = Verdict(FaultType.AUTHORIZATION, retryable=False)
UPSTREAM = Verdict(FaultType.UPSTREAM, retryable=True)
UPSTREAM_BROKEN = Verdict(FaultType.UPSTREAM, retryable=False)
UNKNOWN = Verdict(FaultType.UNKNOWN, retryable=False)
FLOW = Verdict(FaultType.FLOW, retryable=False)


def _table(*rows: tuple[Verdict, Iterable[object]]) -> Mapping[str, Verdict]:
    return {str(code): verdict for verdict, codes in rows for code in codes}


# Whole SQLSTATEs first, then their two-character class.
SQLSTATE = _table(
    (SLOW, ("57014", "55P03")),  # query_canceled (statement_timeout), lock_not_available
    (COLLIDED, ("40", "25P03")),
    (EXISTS, ("23", "42P07", "42710", "42P04", "42P06")),  # constraint violations; table, object, database, schema exists
    (FORBIDDEN, ("42501",)),
    (REFUSED, ("28", "3D")),
    (UNREACHABLE, ("08", "53", "57", "58", "25006", "XX001", "XX002")),
    (INVALID, ("42", "22", "21", "26", "0A", "54")),
)
CLICKHOUSE = _table(
    (UNREACHABLE, (3, 32, 95, 96, 198, 203, 209, 210, 225, 242, 243, 279, 285, 999)),  # sockets, DNS, Keeper, read-only, disk
    (UNREACHABLE, (173, 241)),  # no memory now
    (REFUSED, (102, 192, 193, 194, 195, 217, 291, 516)),  # wrong port, user, password, address
    (THROTTLED, (201, 202, 252, 290, 745)),  # quota, too many queries, too many parts, limit
    (SLOW, (159, 160)),
    (COLLIDED, (216, 236, 473)),  # same query id running, aborted, deadlock avoided
    (EXISTS, (57, 82, 253, 256)),
    (FORBIDDEN, (164, 497)),  # readonly=1, access denied
    (INVALID, (6, 7, 8, 9, 10, 16, 20, 26, 27, 36, 38, 41, 42, 43, 44, 46, 47, 48, 50, 51, 52, 53, 60, 62, 63, 69, 70, 72, 73, 80, 81)),
    (INVALID, (99, 115, 117, 130, 153, 158, 161, 162, 167, 168, 169, 170, 184, 190, 191, 206, 207, 211, 215, 229, 258, 307, 386, 396)),
)
REDIS = _table(
    (UNREACHABLE, ("LOADING", "BUSY", "READONLY", "MISCONF", "OOM", "MASTERDOWN", "NOREPLICAS", "CLUSTERDOWN", "MOVED", "ASK")),
    (COLLIDED, ("TRYAGAIN", "EXECABORT", "BUSYKEY", "INPROG", "NOTREADY")),
    (EXISTS, ("BUSYGROUP",)),
    (REFUSED, ("NOAUTH", "WRONGPASS", "DENIED")),
    (FORBIDDEN, ("NOPERM",)),
    (INVALID, ("ERR", "WRONGTYPE", "NOSCRIPT", "NOGROUP", "CROSSSLOT", "NOPROTO", "SYNTAX")),
)
ARANGO = _table(
    (UNREACHABLE, (2, 3, 4, 30, 38, 503, 1004, 1104, 1224, 1302, 1303, 1305, 1429, 1449, 1464, 1465, 1474, 1478, 1492, 1495, 1496)),
    (SLOW, (18, 408, 504, 1457, 1500)),
    (THROTTLED, (32, 420, 429)),
    (COLLIDED, (28, 29, 1200, 1521, 1579, 1601, 1654)),
    (EXISTS, (409, 412, 1005, 1207, 1210, 1702, 1925)),
    (REFUSED, (401, 1228)),
    (FORBIDDEN, (11, 403)),
    (MISSING, (404, 1202, 1203, 1212, 1591, 1600, 1655, 1703, 1924)),
    (INVALID, (5, 6, 10, 17, 37, 400, 405, 600, *range(1501, 1521), 1522, 1524, *range(1539, 1579), 1580, 1581, 1582, 1583, 1620, 1621)),
    (INVALID, (1204, 1205, 1208, 1213, 1214, 1216, 1218, 1221, 1222, 1226, 1227, 1229, 1233, 1237, 1239, 1901, 1906)),
)
GRPC = _table(
    (UNREACHABLE, ("UNAVAILABLE", "INTERNAL", "DATA_LOSS")),
    (SLOW, ("DEADLINE_EXCEEDED", "CANCELLED")),
    (THROTTLED, ("RESOURCE_EXHAUSTED",)),
    (COLLIDED, ("ABORTED",)),
    (EXISTS, ("ALREADY_EXISTS",)),
    (REFUSED, ("UNAUTHENTICATED",)),
    (FORBIDDEN, ("PERMISSION_DENIED",)),
    (MISSING, ("NOT_FOUND",)),
    (INVALID, ("INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE", "UNIMPLEMENTED")),
)
HTTP = _table(
    (INVALID, (400, 405, 406, 411, 413, 414, 415, 416, 417, 422, 428, 431)),
    (UNAUTHENTICATED, (401, 407)),
    (FORBIDDEN, (403, 451)),
    (MISSING, (404, 410)),
    (EXISTS, (409, 412)),
    (COLLIDED, (423, 425)),
    (THROTTLED, (420, 429)),
    (SLOW, (408, 504)),
    (UPSTREAM, (500, 502, 503, 507, 509, 520, 521, 522, 523, 524, 529)),
    (UPSTREAM_BROKEN, (421, 426, 501, 505, 508, 511)),
)
ERRNO = _table(
    (
        UPSTREAM,
        ("ECONNREFUSED", "ECONNRESET", "ECONNABORTED", "EPIPE", "EHOSTUNREACH", "EHOSTDOWN", "ENETUNREACH", "ENETDOWN", "ENETRESET"),
    ),
    (UPSTREAM, ("ENOTCONN", "ESHUTDOWN", "EADDRNOTAVAIL", "EAI")),  # EAI: the name did not resolve
    (SLOW, ("ETIMEDOUT", "EAGAIN", "EINPROGRESS")),
)
TABLES: Mapping[CodeKind, Mapping[str, Verdict]] = {
    CodeKind.SQLSTATE: SQLSTATE,
    CodeKind.CLICKHOUSE: CLICKHOUSE,
    CodeKind.REDIS: REDIS,
    CodeKind.ARANGO: ARANGO,
    CodeKind.GRPC: GRPC,
    CodeKind.HTTP: HTTP,
    CodeKind.ERRNO: ERRNO,
}
# A server that answers HTTP or refuses a socket is a database when the caller says so.
AS_DATABASE = {UPSTREAM: UNREACHABLE, UPSTREAM_BROKEN: UNREACHABLE, UNAUTHENTICATED: REFUSED}

# Said of an error only by its text: the last resort, per engine. Lower case, first match wins.
TEXT: Mapping[str, tuple[tuple[str, Verdict], ...]] = {
    "postgres": (
        ("authentication failed", REFUSED),
        ("no password supplied", REFUSED),
        ("no pg_hba.conf entry", REFUSED),
        ("does not exist", REFUSED),
        ("too many clients", UNREACHABLE),
        ("timeout expired", UNREACHABLE),
        ("connection refused", UNREACHABLE),
        ("closed the connection", UNREACHABLE),
        ("could not translate host name", UNREACHABLE),
        ("starting up", UNREACHABLE),
        ("shutting down", UNREACHABLE),
        ("already closed", UNREACHABLE),
    ),
    "redis": (
        ("max number of clients", UNREACHABLE),
        ("too many connections", UNREACHABLE),
        ("connection refused", UNREACHABLE),
        ("closed by server", UNREACHABLE),
        ("invalid password", REFUSED),
        ("authentication required", REFUSED),
        ("timeout", UNREACHABLE),
    ),
    "clickhouse": (
        ("authentication failed", REFUSED),
        ("connection refused", UNREACHABLE),
        ("unexpected eof", UNREACHABLE),
        ("timed out", UNREACHABLE),
    ),
    "weaviate": (
        ("unauthorized", REFUSED),
        ("forbidden", FORBIDDEN),
        ("deadline exceeded", SLOW),
        ("statuscode.unavailable", UNREACHABLE),
        ("connection refused", UNREACHABLE),
        ("read-only", UNREACHABLE),
        ("could not find class", INVALID),
        ("graphql", INVALID),
    ),
    "arangodb": (
        ("not authorized", REFUSED),
        ("can't connect", UNREACHABLE),
        ("connection refused", UNREACHABLE),
        ("connection aborted", UNREACHABLE),
        ("timed out", UNREACHABLE),
    ),
}
