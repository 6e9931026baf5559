"""What ClickHouse is asked: one statement that reads, with its `{name:Type}` parameters bound.

A server from 22.8 on binds them itself. An older one knows no parameters, so each becomes CAST('escaped' AS Type): a literal, never text.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from gateway.databases.errors import StatementInvalid, StatementRefused, missing_parameter
from gateway.databases.model import DatabaseName
from gateway.databases.sql_text import CLICKHOUSE, Kind, Token, called_names, first_word, single_statement

NAME = DatabaseName.CLICKHOUSE
MAX_DEPTH = 200  # an old server's parser overflows its stack, and the server dies, at less than a thousand
MAX_SIGNS = 20_000  # it dies of a chain of forty thousand operators too; a list's commas do not count
READING = frozenset({"SELECT", "WITH", "SHOW", "DESC", "DESCRIBE", "EXISTS", "EXPLAIN", "("})
EFFECTS = frozenset({"file", "generateserialid", "hascolumnintable"})  # read files, count in Keeper, call other servers, all in a SELECT
_OTHER_QUOTES = frozenset("$\u2018\u2019\u201c\u201d")  # of newer servers: what stands between them would be read otherwise here
_TYPE = re.compile(r"\s*[A-Za-z][A-Za-z0-9_]*(?:\s*\([A-Za-z0-9_(), ']*\))?\s*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPENING, _CLOSING = frozenset({"(", "[", "CASE"}), frozenset({")", "]", "END"})
_ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0", "\b": "\\b", "\f": "\\f"}


def read_only_statement(statement: str) -> list[Token]:
    """The tokens of one statement that reads.

    Raises:
        StatementRefused: it is several, its quotes are not closed, its first word is none that reads, it is nested too deep, or it does
            what readonly=1 does not stop.
    """
    tokens = single_statement(statement, CLICKHOUSE)
    if first_word(tokens) not in READING:
        raise StatementRefused(NAME, f"Only statements that read are run here: {', '.join(sorted(READING - {'('}))}")
    _refuse_what_overflows(tokens)
    _refuse_effects(tokens)
    return tokens


def _refuse_effects(tokens: list[Token]) -> None:
    if any(token.kind is Kind.SIGN and token.text in _OTHER_QUOTES for token in tokens):
        raise StatementRefused(NAME, "Quotes are ', \" and ` here, and no others")
    called = next((name for name in called_names(tokens) if name.lower() in EFFECTS or "\\" in name), None)
    if called:
        raise StatementRefused(NAME, f"The function {called[:60]} does more than read tables")
    words = [token.text.upper() for token in tokens if token.kind is not Kind.GAP]
    described = words[2:] if words[1:2] == ["TABLE"] else words[1:]
    # Of a table function, a server would ask the other end for its columns.
    if words[0] in {"DESC", "DESCRIBE"} and described[:2] != ["(", "SELECT"] and "(" in described:
        raise StatementRefused(NAME, "Only tables and subqueries are described here")


def _refuse_what_overflows(tokens: list[Token]) -> None:
    depth = signs = intervals = 0
    for token in tokens:
        text = token.text.upper() if token.kind is Kind.WORD else token.text
        depth += (text in _OPENING) - (text in _CLOSING)
        signs += token.kind is Kind.SIGN and text != "," and not text[0].isdigit()
        intervals += token.kind is Kind.WORD and text == "INTERVAL"  # nests without a bracket
        if max(depth, intervals) > MAX_DEPTH or signs > MAX_SIGNS:
            raise StatementRefused(NAME, f"The statement is nested deeper than {MAX_DEPTH} or has more than {MAX_SIGNS} brackets and signs")


def bound_statement(tokens: list[Token], parameters: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The statement for a server that binds, and the values that it names.

    The driver has no bound form of null, and writes True where the server reads 1: null is written as a literal, booleans go as numbers.

    Raises:
        StatementInvalid: a parameter is missing, or its value has no literal.
    """
    bound: dict[str, Any] = {}

    def bind(name: str, type_name: str) -> str:
        value = _value_of(name, parameters)
        if value is None:
            return _cast(name, type_name, value)
        literal(name, value)
        bound[name] = _with_numbers(value)
        return f"{{{name}:{type_name}}}"

    return _replaced(tokens, bind), bound


def with_literals(tokens: list[Token], parameters: Mapping[str, Any]) -> str:
    """The statement for a server without parameters.

    Raises:
        StatementInvalid: a parameter is missing, its type is unreadable, or its value has no literal.
    """
    return _replaced(tokens, lambda name, type_name: _cast(name, type_name, _value_of(name, parameters)))


def _replaced(tokens: list[Token], write: Callable[[str, str], str]) -> str:
    """The statement with each `{name:Type}` as `write(name, type)` has it. Any other brace is the server's to judge."""
    parts: list[str] = []
    opened: int | None = None  # where among the parts the last brace opened, when none closed since
    for token in tokens:
        parts.append(token.text)
        if token.text == "{":
            opened = len(parts) - 1
        elif token.text == "}" and opened is not None:
            name, separator, type_name = "".join(parts[opened + 1 : -1]).partition(":")
            if separator and _NAME.fullmatch(name.strip()):
                parts[opened:] = [write(name.strip(), type_name.strip())]
            opened = None
    return "".join(parts)


def _cast(name: str, type_name: str, value: Any) -> str:
    if not _TYPE.fullmatch(type_name):
        raise StatementInvalid(NAME, "Parameters are written {name:Type}, with a ClickHouse type")
    return f"CAST({literal(name, value)} AS {type_name})"


def _value_of(name: str, parameters: Mapping[str, Any]) -> Any:
    if name not in parameters:
        raise missing_parameter(NAME, name)
    return parameters[name]


def _with_numbers(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_numbers(item) for item in value]
    return int(value) if isinstance(value, bool) else value


def literal(name: str, value: Any) -> str:
    """A value as a ClickHouse literal.

    Raises:
        StatementInvalid: it is neither null, boolean, number, string, nor a list of them.
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return "'" + "".join(_ESCAPES.get(character, character) for character in value) + "'"
    if isinstance(value, list):
        return "[" + ", ".join(literal(name, item) for item in value) + "]"
    raise StatementInvalid(
        NAME, f"The parameter {name[:100]} must be null, a boolean, a number, a string, or a list of them", parameter=name
    )
