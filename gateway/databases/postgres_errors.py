"""What SQLSTATEs and the exception classes of SQLAlchemy and psycopg2 mean to us.

Source: https://www.postgresql.org/docs/current/errcodes-appendix.html (SQLSTATE classes).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg2
from psycopg2 import extensions
from sqlalchemy import exc as vendor

from gateway.databases.errors import (
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

NAME = DatabaseName.POSTGRES
LATE = "PostgreSQL did not answer in time"


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
        raise rule_for(type(error)) from error


def rule_for(kind: type[BaseException]) -> DatabaseError:
    """Our error for a vendor class, or for the nearest class that it derives from."""
    ours, detail = next((CLASS_RULES[base] for base in kind.__mro__ if base in CLASS_RULES), FAILED)
    return ours(NAME, detail, vendor_code=kind.__name__)


def _by_sqlstate(error: vendor.DBAPIError) -> DatabaseError:
    sqlstate = getattr(error.orig, "pgcode", None) or ""
    for prefix, kind, detail in SQLSTATE_RULES:
        if sqlstate.startswith(prefix):
            return kind(NAME, detail, vendor_code=sqlstate)
    if not sqlstate and (error.connection_invalidated or isinstance(error.orig, psycopg2.OperationalError)):
        return _by_text(str(error.orig))
    return rule_for(type(error.orig)) if error.orig else DatabaseFailed(NAME, FAILED[1])


def _by_text(text: str) -> DatabaseError:
    """libpq gives no SQLSTATE while connecting; its text is the only fact left."""
    if "authentication failed" in text or "no password supplied" in text or 'role "' in text:
        return DatabaseAuthenticationFailed(NAME, "PostgreSQL refuses our credentials")
    if 'database "' in text and "does not exist" in text:
        return DatabaseAuthenticationFailed(NAME, "PostgreSQL has no database of this name")
    if "timeout expired" in text or "timed out" in text:
        return DatabaseTimeout(NAME, LATE, retry_after_seconds=2)
    return DatabaseUnreachable(NAME, "PostgreSQL cannot be reached", retry_after_seconds=2)


# The first matching prefix wins: whole codes stand before their class.
SQLSTATE_RULES: tuple[tuple[str, type[DatabaseError], str], ...] = (
    ("57014", DatabaseTimeout, LATE),  # query_canceled: statement_timeout
    ("55P03", DatabaseTimeout, "PostgreSQL did not grant a lock in time"),  # lock_not_available
    ("25006", DatabaseReadOnly, "PostgreSQL accepts reads only"),  # read_only_sql_transaction
    ("53100", DatabaseReadOnly, "PostgreSQL's disk is full"),  # disk_full
    ("53400", StatementInvalid, "The statement needs more temporary space than PostgreSQL allows"),  # temp_file_limit
    ("53", DatabaseUnreachable, "PostgreSQL is out of resources"),  # insufficient resources
    ("57", DatabaseUnreachable, "PostgreSQL is shutting down or starting"),  # operator intervention
    ("08", DatabaseUnreachable, "PostgreSQL cannot be reached"),  # connection exception
    ("28", DatabaseAuthenticationFailed, "PostgreSQL refuses our credentials"),  # invalid authorization
    ("3D", DatabaseAuthenticationFailed, "PostgreSQL has no database of this name"),  # invalid catalog name
    ("40", StatementConflict, "PostgreSQL rolled the transaction back because of another one"),  # serialization, deadlock
    ("23", StatementConflict, "The row conflicts with one that exists"),  # integrity constraint violation
    ("42501", StatementInvalid, "The gateway's user may not read this"),  # insufficient_privilege
    ("42601", StatementInvalid, "The statement is not PostgreSQL's SQL"),  # syntax_error
    ("42703", StatementInvalid, "The statement names a column that does not exist"),  # undefined_column
    ("42883", StatementInvalid, "The statement calls a function or operator that does not exist for such values"),  # undefined_function
    ("42P01", StatementInvalid, "The statement names a table that does not exist"),  # undefined_table
    ("42P18", StatementInvalid, "The type of a parameter cannot be told; write it as CAST(:name AS type)"),  # indeterminate_datatype
    ("42", StatementInvalid, "PostgreSQL refuses the statement"),  # syntax error or access rule violation
    ("0A", StatementInvalid, "PostgreSQL does not support this statement here"),  # feature not supported
    ("21", StatementInvalid, "PostgreSQL refuses the statement"),  # cardinality violation
    ("54", StatementInvalid, "The statement is too large or too complex for PostgreSQL"),  # program limit exceeded
    ("55", StatementConflict, "An object is in use, or not ready for this"),  # object not in prerequisite state
    ("22012", StatementInvalid, "The statement divides by zero"),  # division_by_zero
    ("22P02", StatementInvalid, "A value does not have the form of its type"),  # invalid_text_representation
    ("22", StatementInvalid, "PostgreSQL refuses a value"),  # data exception
)

Rule = tuple[type[DatabaseError], str]
FAILED: Rule = (DatabaseFailed, "PostgreSQL could not run the statement")
UNREACHABLE: Rule = (DatabaseUnreachable, "PostgreSQL cannot be reached")
INVALID: Rule = (StatementInvalid, "PostgreSQL refuses the statement")
CONFLICT: Rule = (StatementConflict, "The row conflicts with one that exists")

# Every class a caller can meet, of both libraries; a test fails when a new version brings one that derives from none of these.
# Those of psycopg2.errors derive from PEP 249's and are told apart by their SQLSTATE.
CLASS_RULES: Mapping[type[BaseException], Rule] = {
    vendor.TimeoutError: (DatabasePoolExhausted, "Every PostgreSQL connection of this process is in use"),
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
    extensions.QueryCanceledError: (DatabaseTimeout, LATE),
    extensions.TransactionRollbackError: (StatementConflict, "PostgreSQL rolled the transaction back because of another one"),
    psycopg2.DatabaseError: FAILED,
    psycopg2.Error: FAILED,
}
