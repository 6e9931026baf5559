"""One read of one database, for a caller outside: bounded before it is sent, in JSON's own types when it comes back."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from gateway.clock import Clock
from gateway.databases import limits
from gateway.databases.encoding import to_json
from gateway.databases.model import DatabaseName, ResultSet
from gateway.databases.ports import Database
from gateway.errors import FieldError, InvalidInput

log = structlog.get_logger(__name__)

Read = Callable[[float], ResultSet]
"""One read, given the seconds that are left for it."""
Recover = Callable[[DatabaseName, Read, float], ResultSet]
"""Runs a read within so many seconds, again when that helps. Raises a DatabaseError without running it while the database is given up."""


class ByName(Protocol):
    """What the service needs of `Databases`."""

    def get(self, name: str) -> Database:
        """Raises DatabaseNotFound, DatabaseDisabled."""


@dataclass(frozen=True)
class QueryAnswer:
    """The answer of one read. `rows` hold JSON's types only (encoding.py). `served_by` is the database itself: a read has no fallback."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    truncated: bool
    elapsed_ms: float
    served_by: DatabaseName

    @property
    def row_count(self) -> int:
        return len(self.rows)


def once(_name: DatabaseName, read: Read, timeout_seconds: float) -> ResultSet:
    """Where nothing is wired: one try."""
    return read(timeout_seconds)


class QueryService:
    """Runs reads. `recover` stands around each: a breaker refuses there, and a read that failed for no reason of its own is tried again."""

    def __init__(self, databases: ByName, clock: Clock, recover: Recover = once) -> None:
        self._databases = databases
        self._clock = clock
        self._recover = recover

    def run(
        self,
        name: str,
        statement: str,
        parameters: Mapping[str, Any] | None = None,
        timeout_ms: int | None = None,
        max_rows: int | None = None,
    ) -> QueryAnswer:
        """Run one read.

        Args:
            timeout_ms: of all of it; by default the database's own limit.
        Raises:
            DatabaseNotFound, DatabaseDisabled: as `Databases.get`.
            InvalidInput: a bound is exceeded; `errors` point at the field.
            StatementRefused, StatementInvalid, AnswerTooLarge: what the engine makes of the statement.
            DatabaseTimeout, DatabaseUnreachable: the engine itself.
        """
        database = self._databases.get(name)
        given = {} if parameters is None else parameters
        timeout = limits.default_timeout_ms(database.limit_seconds) if timeout_ms is None else timeout_ms
        rows = limits.DEFAULT_ROWS if max_rows is None else max_rows
        errors = list(_problems(statement, given, timeout, rows))
        if errors:
            raise InvalidInput("The query is outside its bounds", errors)
        started = self._clock.monotonic()
        result = self._recover(
            database.name, lambda left: database.query(statement, given, timeout_seconds=left, max_rows=rows), timeout / 1000
        )
        elapsed_ms = round((self._clock.monotonic() - started) * 1000, 3)
        log.info("database_read", database=database.name, rows=len(result.rows), truncated=result.truncated, elapsed_ms=elapsed_ms)
        encoded = tuple(tuple(to_json(value) for value in row) for row in result.rows)
        return QueryAnswer(result.columns, encoded, result.truncated, elapsed_ms, database.name)


def _problems(statement: object, parameters: object, timeout_ms: object, max_rows: object) -> Iterator[FieldError]:
    yield from _statement_problems(statement)
    yield from _parameter_problems(parameters)
    yield from _bound_problems("/timeoutMs", timeout_ms, limits.MIN_TIMEOUT_MS, limits.MAX_TIMEOUT_MS)
    yield from _bound_problems("/maxRows", max_rows, 1, limits.MAX_ROWS)


def _statement_problems(statement: object) -> Iterator[FieldError]:
    if not isinstance(statement, str) or not statement.strip():
        yield FieldError("/statement", "must be a string that is not blank")
    elif len(statement) > limits.MAX_STATEMENT_BYTES or _utf8_bytes(statement) > limits.MAX_STATEMENT_BYTES:
        yield FieldError("/statement", f"must not exceed {limits.MAX_STATEMENT_BYTES} bytes")
    elif "\0" in statement or _utf8_bytes(statement) < 0:
        yield FieldError("/statement", "must hold no NUL and no lone surrogate")


def _parameter_problems(parameters: object) -> Iterator[FieldError]:
    if not isinstance(parameters, Mapping) or not all(isinstance(name, str) for name in parameters):
        yield FieldError("/parameters", "must be an object")
        return
    if sum(1 for _ in zip(_values(parameters), range(limits.MAX_PARAMETERS + 1), strict=False)) > limits.MAX_PARAMETERS:
        yield FieldError("/parameters", f"must not hold more than {limits.MAX_PARAMETERS} values")
        return
    for name, value in parameters.items():
        if not _all_utf8([name, value]):
            yield FieldError("/parameters/" + name.encode(errors="replace").decode().replace("~", "~0").replace("/", "~1"), "must be UTF-8")


def _values(parameters: Mapping[str, Any]) -> Iterator[Any]:
    """Every single value, those inside lists and objects too."""
    pending = list(parameters.values())
    while pending:
        item = pending.pop()
        if isinstance(item, list | Mapping):
            pending += item.values() if isinstance(item, Mapping) else item
        else:
            yield item


def _bound_problems(pointer: str, value: object, least: int, most: int) -> Iterator[FieldError]:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        yield FieldError(pointer, f"must be a whole number from {least} to {most}")


def _utf8_bytes(text: str) -> int:
    """The length in UTF-8; -1 when a lone surrogate makes that impossible."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return -1


def _all_utf8(value: Any) -> bool:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            if _utf8_bytes(item) < 0:
                return False
        elif isinstance(item, Mapping):
            pending += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            pending += item
    return True
