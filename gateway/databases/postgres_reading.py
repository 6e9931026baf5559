"""One read of PostgreSQL: a single statement in a READ ONLY transaction that is always rolled back.

The server refuses writes, and it refuses several statements: the text reaches it as a literal that PL/pgSQL opens a cursor for, so nothing
in it can end the transaction. What READ ONLY does not stop (locks of the session, other sessions, files, statements made of text) is
refused before it is sent; and when the gateway's own role is a superuser, the read runs as `pg_read_all_data` instead.
Source: https://www.postgresql.org/docs/current/sql-set-transaction.html , https://www.postgresql.org/docs/current/functions-admin.html ,
https://www.postgresql.org/docs/current/plpgsql-cursors.html
"""

import contextlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from psycopg2 import extensions
from psycopg2.extras import Json
from sqlalchemy import Connection

from gateway.databases import postgres_moments
from gateway.databases.collecting import RowCollector, rough_bytes
from gateway.databases.errors import DatabaseReadOnly, StatementInvalid, StatementRefused, missing_parameter
from gateway.databases.limits import MAX_ANSWER_BYTES
from gateway.databases.model import DatabaseName, ResultSet
from gateway.databases.sql_text import POSTGRES, Kind, Token, called_names, first_word, single_statement

NAME = DatabaseName.POSTGRES
READING = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "EXPLAIN", "SHOW", "("})
WRITING = frozenset({"CREATE", "INSERT", "UPDATE", "DELETE", "MERGE", "EXECUTE", "DECLARE", "REFRESH"})
FIRST_FETCH_ROWS = 50
IN_NO_CURSOR = "42P11"  # invalid_cursor_definition: the server's answer to several statements, and to one that does not read
OPEN_CURSOR = "DECLARE reading refcursor := 'reading'; BEGIN OPEN reading NO SCROLL FOR EXECUTE %s; END"
_EFFECTS = re.compile(
    r"(set_config|setseed|query_to_xml|ts_stat|ts_rewrite|dblink|crosstab|connectby|xpath_table|lo_|pg_advisory|pg_try_advisory|pg_terminate|"
    r"pg_cancel|pg_reload|pg_rotate|pg_read_|pg_ls_|pg_stat_file|pg_file_|pg_switch|pg_stat_reset|pg_logical|pg_replication|pg_create_|pg_copy_|"
    r"pg_drop_|pg_backup|pg_start|pg_stop|pg_promote|pg_wal_|pg_notify|pg_export|pg_import|pg_log_|pg_restore|pg_clear|pg_prewarm|"
    r"pg_stat_statements_reset|pg_stat_kcache_reset|pg_truncate_|pg_buffercache_evict|pg_sync_|heap_force_|brin_summarize|brin_desummarize|"
    r"gin_clean_|autoprewarm|binary_upgrade_).*"
)


def readable_statement(statement: str) -> list[Token]:
    """The tokens of one statement that may be sent.

    Raises:
        StatementRefused: it is several, does not begin as a read, or calls what a READ ONLY transaction would not stop.
    """
    tokens = single_statement(statement, POSTGRES)
    if first_word(tokens) not in READING:
        raise StatementRefused(NAME, "Only statements that read are run here: SELECT, WITH, VALUES, TABLE, EXPLAIN, SHOW")
    words = {token.text.upper() for token in tokens if token.kind is Kind.WORD}
    if "INTO" in words:
        raise StatementRefused(NAME, "INTO writes; only reads are run here")
    if first_word(tokens) == "EXPLAIN" and words & WRITING:  # EXPLAIN ANALYZE runs what it explains
        raise StatementRefused(NAME, "Only statements that read are explained here")
    called = next((name for name in called_names(tokens) if _EFFECTS.fullmatch(name)), None)
    if called:
        raise StatementRefused(NAME, f"The function {called[:60]} does more than read")
    return tokens


def read(connection: Connection, tokens: list[Token], parameters: Mapping[str, Any], *, deadline: float, max_rows: int) -> ResultSet:
    """Run the statement and roll back. Parameters are written `:name`; the driver quotes their values.

    Args:
        deadline: of time.monotonic, enforced by the server; the caller bounds the waiting for it.
    Raises:
        StatementRefused: the server says that it would write. StatementInvalid: a parameter is missing or of no known type.
    """
    text, bound = _with_parameters(tokens, parameters)
    try:
        _begin_reading(connection, deadline)
        _open_cursor(connection, text, bound)
        return _fetch(connection, max_rows)
    finally:
        if not connection.invalidated:
            connection.rollback()


def refused_write(error: DatabaseReadOnly | StatementInvalid) -> StatementRefused:
    """A write that the server itself refused."""
    return StatementRefused(NAME, "The statement would write; only reads are run here", vendor_code=error.vendor_code)


def _begin_reading(connection: Connection, deadline: float) -> None:
    timeout_ms = max(1, int((deadline - time.monotonic()) * 1000))
    driver: Any = connection.connection.driver_connection
    postgres_moments.register(driver)
    lower_role = " SET LOCAL ROLE pg_read_all_data;" if driver.info.parameter_status("is_superuser") == "on" else ""
    connection.exec_driver_sql(
        f"SET TRANSACTION READ ONLY; SET LOCAL statement_timeout = {timeout_ms}; SET LOCAL standard_conforming_strings = on;{lower_role}"
    )


def _open_cursor(connection: Connection, text: str, bound: Mapping[str, Any]) -> None:
    """The driver writes the values into the text, the text into PL/pgSQL as a literal, and that into DO as another."""
    with contextlib.closing(connection.connection.cursor()) as cursor:
        encoding = extensions.encodings[cursor.connection.encoding]
        opening = cursor.mogrify(OPEN_CURSOR, (cursor.mogrify(text, bound).decode(encoding),)).decode(encoding)
    connection.exec_driver_sql("DO %s", (opening,))


def _fetch(connection: Connection, max_rows: int) -> ResultSet:
    """Fetch in steps whose size follows the rows' own: wide rows come few at a time, and memory stays bounded."""
    collector, step, columns = RowCollector(NAME, max_rows), FIRST_FETCH_ROWS, ()
    while wanted := min(step, collector.rows_wanted):
        batch = connection.exec_driver_sql(f"FETCH FORWARD {wanted} FROM reading")
        columns = tuple(batch.keys())
        rows = [tuple(row) for row in batch]
        kept = all(collector.add(row) for row in rows)
        if not kept or len(rows) < wanted:
            break
        step = max(1, MAX_ANSWER_BYTES // 8 // max(1, rough_bytes(rows) // len(rows)))
    return collector.result(columns)


def _with_parameters(tokens: Sequence[Token], parameters: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The text as psycopg2 wants it, `%(name)s` for each `:name`, and the values it names.

    Spaces stand around a value: what it touched could change how it is read (`E:name`, `'text':name`).
    """
    parts: list[str] = []
    bound: dict[str, Any] = {}
    for name, text in _placed(tokens):
        if name is None:
            parts.append(text.replace("%", "%%"))
        elif name in parameters:
            bound[name] = _adapted(parameters[name])
            parts.append(f" %({name})s{'::jsonb' if isinstance(bound[name], Json) else ''} ")
        else:
            raise missing_parameter(NAME, name)
    return "".join(parts), bound


def _placed(tokens: Sequence[Token]) -> Iterator[tuple[str | None, str]]:
    """Each token, or the name of the parameter that stands there. `::` is a cast, never a parameter."""
    position = 0
    while position < len(tokens):
        here = tokens[position]
        after = tokens[position + 1] if position + 1 < len(tokens) else None
        if here.text == ":" and after is not None and after.text == ":":
            yield None, "::"
            position += 2
        elif here.text == ":" and after is not None and after.kind is Kind.WORD:
            yield after.text, ""
            position += 2
        else:
            yield None, here.text
            position += 1


def _adapted(value: Any) -> Any:
    """The value as psycopg2 takes it: objects as jsonb, lists as arrays."""
    if _holds_nul(value):
        raise StatementInvalid(NAME, "PostgreSQL holds no NUL character in a text")
    return Json(value) if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict) for item in value)) else value


def _holds_nul(value: Any) -> bool:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str) and "\0" in item:
            return True
        if isinstance(item, list | dict):
            pending += [*item, *item.values()] if isinstance(item, dict) else item
    return False
