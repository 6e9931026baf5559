"""What SQLSTATEs and the exception classes of SQLAlchemy and psycopg2 mean to us.

Source: https://www.postgresql.org/docs/current/errcodes-appendix.html (SQLSTATE classes).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from psycopg2 import extensions
from sqlalchemy import exc as vendor

from gateway.databases.error_rules import (
    EXHAUSTED,
    FAILED,
    INVALID,
    LATE,
    NO_DATABASE,
    NO_RESOURCES,
    READS_ONLY,
    REFUSES_US,
    UNREACHABLE,
    ClassRules,
    Rule,
    made,
    rule_for,
)
from gateway.databases.errors import (
    AnswerTooLarge,
    DatabaseError,
    DatabaseReadOnly,
    DatabaseTimeout,
    DatabaseUnreachable,
    StatementConflict,
    StatementInvalid,
)
from gateway.databases.model import DatabaseName
from gateway.databases.postgres_waiting import AnswerTooLong

NAME = DatabaseName.POSTGRES
ENGINE = "PostgreSQL"
SILENT_RETRY_SECONDS = 2  # who could not connect, or waited in vain, is told to wait so long


@contextmanager
def translated() -> Iterator[None]:
    """Turn SQLAlchemy's and psycopg2's errors into ours.

    Raises:
        DatabaseError: chosen by SQLSTATE class, then by the vendor's type.
    """
    try:
        yield
    except vendor.DBAPIError as error:
        raise _by_sqlstate(error) from error
    except (vendor.SQLAlchemyError, psycopg2.Error) as error:
        raise _by_class(type(error)) from error


def late() -> DatabaseError:
    """A server that said nothing in time."""
    return made(NAME, ENGINE, LATE, retry_after_seconds=SILENT_RETRY_SECONDS)


def _by_class(kind: type[BaseException]) -> DatabaseError:
    return made(NAME, ENGINE, rule_for(kind, CLASS_RULES), kind.__name__)


def _by_sqlstate(error: vendor.DBAPIError) -> DatabaseError:
    if isinstance(error.orig, AnswerTooLong):
        return AnswerTooLarge(NAME, "The answer is too large; ask for less of it")
    sqlstate = getattr(error.orig, "pgcode", None) or ""
    for prefix, rule in SQLSTATE_RULES:
        if sqlstate.startswith(prefix):
            return made(NAME, ENGINE, rule, sqlstate)
    if not sqlstate and (error.connection_invalidated or isinstance(error.orig, psycopg2.OperationalError)):
        return _by_text(str(error.orig))
    return _by_class(type(error.orig)) if error.orig else made(NAME, ENGINE, FAILED)


def _by_text(text: str) -> DatabaseError:
    """libpq gives no SQLSTATE while connecting; its text is the only fact left."""
    if "authentication failed" in text or "no password supplied" in text or 'role "' in text:
        return made(NAME, ENGINE, REFUSES_US)
    if 'database "' in text and "does not exist" in text:
        return made(NAME, ENGINE, NO_DATABASE)
    if "timeout expired" in text or "timed out" in text:
        return late()
    return made(NAME, ENGINE, UNREACHABLE, retry_after_seconds=SILENT_RETRY_SECONDS)


CONFLICT: Rule = (StatementConflict, "The row conflicts with one that exists")
ROLLED_BACK: Rule = (StatementConflict, "{engine} rolled the transaction back because of another one")

# The first matching prefix wins: whole codes stand before their class.
SQLSTATE_RULES: tuple[tuple[str, Rule], ...] = (
    ("57014", LATE),  # query_canceled: statement_timeout
    ("55P03", (DatabaseTimeout, "{engine} did not grant a lock in time")),  # lock_not_available
    ("25006", READS_ONLY),  # read_only_sql_transaction
    ("53100", (DatabaseReadOnly, "{engine}'s disk is full")),  # disk_full
    ("53400", (StatementInvalid, "The statement needs more temporary space than {engine} allows")),  # temp_file_limit
    ("53", NO_RESOURCES),  # insufficient resources
    ("57", (DatabaseUnreachable, "{engine} is shutting down or starting")),  # operator intervention
    ("08", UNREACHABLE),  # connection exception
    ("28", REFUSES_US),  # invalid authorization
    ("3D", NO_DATABASE),  # invalid catalog name
    ("40", ROLLED_BACK),  # serialization, deadlock
    ("23", CONFLICT),  # integrity constraint violation
    ("42501", (StatementInvalid, "The gateway's user may not read this")),  # insufficient_privilege
    ("42601", (StatementInvalid, "The statement is not {engine}'s SQL")),  # syntax_error
    ("42703", (StatementInvalid, "The statement names a column that does not exist")),  # undefined_column
    ("42883", (StatementInvalid, "The statement calls a function or operator that does not exist for such values")),  # undefined_function
    ("42P01", (StatementInvalid, "The statement names a table that does not exist")),  # undefined_table
    ("42P18", (StatementInvalid, "The type of a parameter cannot be told; write it as CAST(:name AS type)")),  # indeterminate_datatype
    ("42", INVALID),  # syntax error or access rule violation
    ("0A", (StatementInvalid, "{engine} does not support this statement here")),  # feature not supported
    ("21", INVALID),  # cardinality violation
    ("54", (StatementInvalid, "The statement is too large or too complex for {engine}")),  # program limit exceeded
    ("55", (StatementConflict, "An object is in use, or not ready for this")),  # object not in prerequisite state
    ("22012", (StatementInvalid, "The statement divides by zero")),  # division_by_zero
    ("22P02", (StatementInvalid, "A value does not have the form of its type")),  # invalid_text_representation
    ("22", (StatementInvalid, "{engine} refuses a value")),  # data exception
)

# Every class a caller can meet, of both libraries; a test fails when a new version brings one that derives from none of these.
# Those of psycopg2.errors derive from PEP 249's and are told apart by their SQLSTATE.
CLASS_RULES: ClassRules = {
    vendor.TimeoutError: EXHAUSTED,
    vendor.DisconnectionError: UNREACHABLE,
    vendor.InvalidatePoolError: UNREACHABLE,
    vendor.ResourceClosedError: FAILED,
    vendor.StatementError: INVALID,
    vendor.DBAPIError: FAILED,
    vendor.InterfaceError: UNREACHABLE,
    vendor.DatabaseError: FAILED,
    vendor.DataError: INVALID,
    vendor.OperationalError: UNREACHABLE,
    vendor.IntegrityError: CONFLICT,
    vendor.InternalError: FAILED,
    vendor.ProgrammingError: INVALID,
    vendor.NotSupportedError: INVALID,
    vendor.SQLAlchemyError: FAILED,
    psycopg2.InterfaceError: UNREACHABLE,
    psycopg2.DataError: INVALID,
    psycopg2.OperationalError: UNREACHABLE,
    psycopg2.IntegrityError: CONFLICT,
    psycopg2.InternalError: FAILED,
    psycopg2.ProgrammingError: INVALID,
    psycopg2.NotSupportedError: INVALID,
    extensions.QueryCanceledError: LATE,
    extensions.TransactionRollbackError: ROLLED_BACK,
    psycopg2.DatabaseError: FAILED,
    psycopg2.Error: FAILED,
}
