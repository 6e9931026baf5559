"""What each of ClickHouse's codes and each of the driver's exception classes means to us.

Source: clickhouse_driver/errors.py; ClickHouse's src/Common/ErrorCodes.cpp for codes that are newer than the driver.
"""

from collections.abc import Mapping

from clickhouse_driver import errors as vendor

from gateway.databases.error_rules import (
    FAILED,
    FULL,
    INVALID,
    LATE,
    NO_RESOURCES,
    REFUSES_US,
    UNREACHABLE,
    ClassRules,
    Rule,
    made,
    rule_for,
)
from gateway.databases.errors import DatabaseError, StatementRefused
from gateway.databases.model import DatabaseName

NAME = DatabaseName.CLICKHOUSE
ENGINE = "ClickHouse"
REFUSED: Rule = (StatementRefused, "{engine} does not run this statement for us")


def _numbers(text: str) -> frozenset[int]:
    """ "1-3 7" as {1, 2, 3, 7}."""
    bounds = [part.partition("-") for part in text.split()]
    return frozenset(number for low, _, high in bounds for number in range(int(low), int(high or low) + 1))


_BY_CODES: tuple[tuple[Rule, frozenset[int]], ...] = (
    (LATE, _numbers("159 160 209 394")),
    (REFUSES_US, _numbers("192-195 516")),
    (UNREACHABLE, _numbers("32 95-97 99-103 198 203 210 217 225 236 254 265 279 285 297 364 369 425 999")),
    (NO_RESOURCES, _numbers("173 201 202 241 252 367 439")),
    (FULL, _numbers("242 243")),
    (REFUSED, _numbers("164 291 358 392 446 482 497")),
    (
        INVALID,
        _numbers(
            "6-22 25-27 34-38 41-48 50-57 59-63 66 67 69 70 72 73 78 80-82 90 115-117 119 120 122 124 125 127-131 133-135 140 141 144 "
            "146-155 157 158 161-163 165-169 174 178 179 181-184 190 191 205-208 211 215 229 248 258 260 262 264 277 288 290 306 307 309 "
            "321 344 346 349 351-353 356 357 366 368 370 376-378 386 393 395 396 407 441 456 457"
        ),
    ),
)
CODE_RULES: Mapping[int, Rule] = {code: rule for rule, codes in _BY_CODES for code in codes}

# Every exception class of the driver; a test fails when a new version brings one that is not here.
CLASS_RULES: ClassRules = {
    vendor.Error: FAILED,
    vendor.ServerException: FAILED,
    vendor.LogicalError: FAILED,
    vendor.UnknownTypeError: FAILED,
    vendor.ChecksumDoesntMatchError: UNREACHABLE,
    vendor.TypeMismatchError: INVALID,
    vendor.UnknownCompressionMethod: FAILED,
    vendor.TooLargeStringSize: INVALID,
    vendor.NetworkError: UNREACHABLE,
    vendor.SocketTimeoutError: LATE,
    vendor.UnexpectedPacketFromServerError: UNREACHABLE,
    vendor.UnknownPacketFromServerError: UNREACHABLE,
    vendor.CannotParseUuidError: INVALID,
    vendor.CannotParseDomainError: INVALID,
    vendor.PartiallyConsumedQueryError: FAILED,
    TimeoutError: LATE,
    EOFError: UNREACHABLE,
    OSError: UNREACHABLE,
}


def translate(error: Exception) -> DatabaseError:
    """Our error for a vendor's: a server's by its code, then by the class."""
    code = error.code if isinstance(error, vendor.ServerException) else None
    rule = CODE_RULES.get(code) if code is not None else None
    vendor_code = str(code) if code is not None else str(getattr(error, "code", None) or type(error).__name__)
    return made(NAME, ENGINE, rule or rule_for(type(error), CLASS_RULES), vendor_code)
