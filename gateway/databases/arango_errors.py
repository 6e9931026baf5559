"""What ArangoDB's error numbers, its HTTP statuses and the driver's exception classes mean to us.

Source: https://docs.arangodb.com/stable/develop/error-codes-and-meanings/
"""

from collections.abc import Mapping

from arango import exceptions as vendor
from urllib3 import exceptions as http

from gateway.databases.bounded_http import BodyTooLarge, TooLate
from gateway.databases.connections import PoolExhausted
from gateway.databases.errors import (
    AnswerTooLarge,
    DatabaseAuthenticationFailed,
    DatabaseError,
    DatabaseFailed,
    DatabasePoolExhausted,
    DatabaseReadOnly,
    DatabaseTimeout,
    DatabaseUnreachable,
    StatementConflict,
    StatementInvalid,
)
from gateway.databases.model import DatabaseName

NAME = DatabaseName.ARANGODB
Rule = tuple[type[DatabaseError], str]

LATE: Rule = (DatabaseTimeout, "ArangoDB did not answer in time")
REFUSES_US: Rule = (DatabaseAuthenticationFailed, "ArangoDB refuses our credentials")
NO_DATABASE: Rule = (DatabaseAuthenticationFailed, "ArangoDB has no database of this name")
UNREACHABLE: Rule = (DatabaseUnreachable, "ArangoDB cannot be reached")
FULL: Rule = (DatabaseReadOnly, "ArangoDB accepts reads only, or its disk is full")
CONFLICT: Rule = (StatementConflict, "The document conflicts with one that exists, or with another transaction")
INVALID: Rule = (StatementInvalid, "ArangoDB refuses the statement")
TOO_LARGE: Rule = (AnswerTooLarge, "The query or its answer needs more memory than allowed; ask for less")
FAILED: Rule = (DatabaseFailed, "ArangoDB could not run the statement")
EXHAUSTED: Rule = (DatabasePoolExhausted, "Every ArangoDB connection of this process is in use")

# errorNum of the body, where the status alone would mislead.
NUMBER_RULES: Mapping[int, Rule] = {
    11: REFUSES_US,  # forbidden
    18: LATE,  # lock timeout
    32: TOO_LARGE,  # resource limit
    1004: FULL,  # read only
    1104: FULL,  # file system full
    1200: CONFLICT,  # write-write conflict
    1210: CONFLICT,  # unique constraint violated
    1228: NO_DATABASE,
    1429: FULL,  # not enough replicas to write
    1457: LATE,  # cluster timeout
    1500: LATE,  # query killed: maxRuntime
}
STATUS_RULES: Mapping[int, Rule] = {
    400: INVALID,
    401: REFUSES_US,
    403: REFUSES_US,
    404: INVALID,
    405: INVALID,
    408: LATE,
    409: CONFLICT,
    410: LATE,
    412: CONFLICT,
    413: INVALID,
    429: UNREACHABLE,
    502: UNREACHABLE,
    503: UNREACHABLE,
    504: LATE,
}
# Every class the driver can raise derives from one of its three; a test fails when a new version brings another root.
CLASS_RULES: Mapping[type[BaseException], Rule] = {
    vendor.ArangoServerError: FAILED,
    vendor.ArangoClientError: FAILED,
    vendor.ArangoError: FAILED,
    TooLate: LATE,
    BodyTooLarge: TOO_LARGE,
    PoolExhausted: EXHAUSTED,
    http.NewConnectionError: UNREACHABLE,
    http.TimeoutError: LATE,
    http.HTTPError: UNREACHABLE,
    TimeoutError: LATE,
    OSError: UNREACHABLE,
}


def translate(error: Exception) -> DatabaseError:
    """Our error: by errorNum, by HTTP status, by class."""
    number = error.error_code if isinstance(error, vendor.ArangoServerError) else None
    status = error.http_code if isinstance(error, vendor.ArangoServerError) else None
    by_class = next((CLASS_RULES[base] for base in type(error).__mro__ if base in CLASS_RULES), FAILED)
    kind, detail = NUMBER_RULES.get(number or 0) or STATUS_RULES.get(status or 0) or by_class
    return kind(NAME, detail, vendor_code=str(number) if number else type(error).__name__)
