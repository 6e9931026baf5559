"""The HTTP status that each error of the tree has wherever it is shown as a problem: at the edge, or in a node's stored error."""

from collections.abc import Mapping

from gateway.databases.errors import DatabaseFailed, DatabaseTimeout, DatabaseUnreachable
from gateway.errors import (
    Conflict,
    Forbidden,
    GatewayError,
    InvalidInput,
    KeyReused,
    NotFound,
    RateLimited,
    Unauthenticated,
    Unavailable,
    UpstreamInvalid,
    UpstreamTimeout,
)

BUG = 500
FLOW_AT_FAULT = 422  # a node's own doing: what it was given reads well and cannot be carried out, and no dependency is involved
# The most specific base of an error's class counts. 500 is for bugs: an error of the bare GatewayError reaching the edge is one.
STATUSES: Mapping[type[GatewayError], int] = {
    KeyReused: 422,
    InvalidInput: 400,
    NotFound: 404,
    Conflict: 409,
    Unauthenticated: 401,
    Forbidden: 403,
    RateLimited: 429,
    DatabaseTimeout: 504,
    DatabaseUnreachable: 503,
    Unavailable: 503,
    UpstreamInvalid: 502,
    UpstreamTimeout: 504,
    DatabaseFailed: 502,
    GatewayError: BUG,
}


def status_in(table: Mapping[type[GatewayError], int], error: BaseException) -> int:
    """The status of an error by the most specific base of its class in the table; 500 for anything else."""
    return next((table[base] for base in type(error).__mro__ if base in table), BUG)
