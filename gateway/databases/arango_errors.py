"""What ArangoDB's error numbers, its HTTP statuses and the driver's exception classes mean to us.

Source: https://docs.arangodb.com/stable/develop/error-codes-and-meanings/
"""

from collections.abc import Mapping

from arango import exceptions as vendor
from urllib3 import exceptions as http

from gateway.databases.bounded_http import BodyTooLarge, TooLate
from gateway.databases.connections import PoolExhausted
from gateway.databases.error_rules import (
    CONFLICT,
    EXHAUSTED,
    FAILED,
    FULL,
    LATE,
    NO_DATABASE,
    REFUSES_US,
    STATUS_RULES,
    TOO_LARGE,
    UNREACHABLE,
    ClassRules,
    Rule,
    made,
    rule_for,
)
from gateway.databases.errors import DatabaseError
from gateway.databases.model import DatabaseName

NAME = DatabaseName.ARANGODB

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
# Every class the driver can raise derives from one of its three; a test fails when a new version brings another root.
CLASS_RULES: ClassRules = {
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
    rule = NUMBER_RULES.get(number or 0) or STATUS_RULES.get(status or 0) or rule_for(type(error), CLASS_RULES)
    return made(NAME, "ArangoDB", rule, str(number) if number else type(error).__name__)
