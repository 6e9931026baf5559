"""What can go wrong with a database, said once for all six engines. No vendor exception leaves `gateway/databases/`."""

from gateway.errors import Conflict, FieldError, GatewayError, InvalidInput, NotFound, Unavailable, UpstreamTimeout


class DatabaseError(GatewayError):
    """Base of the errors of all six databases.

    Attributes:
        database: one of the six names.
        vendor_code: SQLSTATE, ClickHouse code, Redis prefix, Arango errorNum, gRPC or HTTP status, as text; for classifying.
    """

    def __init__(self, database: str, detail: str, *, vendor_code: str | None = None, retry_after_seconds: float | None = None) -> None:
        super().__init__(detail, retry_after_seconds=retry_after_seconds)
        self.database = database
        self.vendor_code = vendor_code


class DatabaseUnreachable(DatabaseError, Unavailable):
    """The server did not accept a connection, closed it, or refuses work for now. Retryable."""

    code = "DATABASE_CONNECTION_ERROR"
    retryable = True


class DatabaseTimeout(DatabaseUnreachable):
    """The server did not answer within the deadline. Retryable, but whether the statement ran is not known."""

    code = "DATABASE_TIMEOUT"


class DatabaseAuthenticationFailed(DatabaseUnreachable):
    """The server refused our credentials. An operator must act; trying again costs and does not help."""

    code = "DATABASE_AUTHENTICATION_FAILED"
    retryable = False


class DatabaseReadOnly(DatabaseUnreachable):
    """The server accepts reads only, or its disk is full. Retryable."""

    code = "DATABASE_READ_ONLY"


class DatabasePoolExhausted(DatabaseUnreachable):
    """Every connection of this process is in use and none came back in time. Retryable."""

    code = "DATABASE_POOL_EXHAUSTED"


class StatementConflict(DatabaseError, Conflict):
    """A serialization failure, deadlock, or a unique key that exists. Retryable when `retryable` of the instance says so."""

    code = "DATABASE_CONFLICT"


class StatementInvalid(DatabaseError, InvalidInput):
    """The engine refuses the statement: syntax, a missing table, a wrong parameter. `parameter`: the name of that one."""

    code = "STATEMENT_INVALID"

    def __init__(self, database: str, detail: str, *, vendor_code: str | None = None, parameter: str | None = None) -> None:
        pointer = "/statement" if parameter is None else "/parameters/" + parameter[:100].replace("~", "~0").replace("/", "~1")  # RFC 6901
        InvalidInput.__init__(self, detail, [FieldError(pointer, detail)])
        self.database = database
        self.vendor_code = vendor_code


def missing_parameter(database: str, name: str) -> StatementInvalid:
    """The statement names a parameter for which no value was given."""
    return StatementInvalid(database, f"The statement names the parameter {name[:100]}, which is missing", parameter=name)


class StatementRefused(StatementInvalid):
    """The statement is not one read: it would write, hold a lock, change the session, or is several. It never reached the data."""

    code = "STATEMENT_REFUSED"


class AnswerTooLarge(StatementInvalid):
    """A single value or answer is larger than a process may hold; ask for less of it."""

    code = "ANSWER_TOO_LARGE"


class StatementTooSlow(UpstreamTimeout):
    """The server ended a caller's statement at the caller's own limit. The server is well, so this is no DatabaseError."""

    code = "STATEMENT_TIMEOUT"
    retryable = False


class DatabaseNotFound(NotFound):
    """No database of this name; there are six."""

    code = "DATABASE_NOT_FOUND"


class DatabaseDisabled(Conflict):
    """The database is not configured; the detail says which variables enable it."""

    code = "DATABASE_DISABLED"


class DatabaseFailed(DatabaseError):
    """The engine failed in a way none of the others names. Not retried by itself."""

    code = "DATABASE_ERROR"
