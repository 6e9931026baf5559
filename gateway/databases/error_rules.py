"""What the error tables of the drivers share: the rules that every engine has, and what HTTP's statuses say of a database."""

from collections.abc import Mapping

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

Rule = tuple[type[DatabaseError], str]  # `{engine}` in the text is the engine's name
ClassRules = Mapping[type[BaseException], Rule]

LATE: Rule = (DatabaseTimeout, "{engine} did not answer in time")
REFUSES_US: Rule = (DatabaseAuthenticationFailed, "{engine} refuses our credentials")
UNREACHABLE: Rule = (DatabaseUnreachable, "{engine} cannot be reached")
EXHAUSTED: Rule = (DatabasePoolExhausted, "Every {engine} connection of this process is in use")
FULL: Rule = (DatabaseReadOnly, "{engine} accepts reads only, or its disk is full")
CONFLICT: Rule = (StatementConflict, "What is written conflicts with what exists, or with another transaction")
INVALID: Rule = (StatementInvalid, "{engine} refuses the statement")
TOO_LARGE: Rule = (AnswerTooLarge, "The answer is too large, or needs more memory than allowed; ask for less")
FAILED: Rule = (DatabaseFailed, "{engine} could not run the statement")
NO_DATABASE: Rule = (DatabaseAuthenticationFailed, "{engine} has no database of this name")
NO_RESOURCES: Rule = (DatabaseUnreachable, "{engine} is out of resources")
READS_ONLY: Rule = (DatabaseReadOnly, "{engine} accepts reads only")
STRANGER: Rule = (DatabaseUnreachable, "What answers is not {engine}")

STATUS_RULES: Mapping[int, Rule] = {
    400: INVALID,
    401: REFUSES_US,
    403: REFUSES_US,
    404: INVALID,
    405: INVALID,
    408: LATE,
    409: CONFLICT,
    410: LATE,  # a query that was ended
    412: CONFLICT,
    413: INVALID,
    422: INVALID,
    429: UNREACHABLE,
    502: UNREACHABLE,
    503: UNREACHABLE,
    504: LATE,
    507: FULL,
}


def rule_for(kind: type[BaseException], rules: ClassRules) -> Rule:
    """The rule of a vendor class, or of the nearest class that it derives from."""
    return next((rules[base] for base in kind.__mro__ if base in rules), FAILED)


def made(
    name: DatabaseName, engine: str, rule: Rule, vendor_code: str | None = None, *, retry_after_seconds: float | None = None
) -> DatabaseError:
    """Our error."""
    kind, detail = rule
    error = kind(name, detail.format(engine=engine), vendor_code=vendor_code)
    error.retry_after_seconds = retry_after_seconds
    return error
