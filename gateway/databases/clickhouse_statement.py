"""What ClickHouse is asked: one statement that reads, with its `{name:Type}` parameters bound.

A server from 22.8 on binds them itself. An older one knows no parameters, so each becomes CAST('escaped' AS Type): a literal, never text.
"""

import re
from collections.abc import Mapping
from typing import Any

from gateway.databases.errors import StatementInvalid, StatementRefused
from gateway.databases.model import DatabaseName
from gateway.databases.sql_text import CLICKHOUSE, Kind, SqlUnclear, Token, first_word, single_statement

NAME = DatabaseName.CLICKHOUSE
MAX_DEPTH = 200  # an old server's parser overflows its stack, and the server dies, at less than a thousand
MAX_SIGNS = 20_000  # it dies of a chain of forty thousand operators too; a list's commas do not count
READING = frozenset({"SELECT", "WITH", "SHOW", "DESC", "DESCRIBE", "EXISTS", "EXPLAIN", "("})
_TYPE = re.compile(r"\s*[A-Za-z][A-Za-z0-9_]*(?:\s*\([A-Za-z0-9_(), ']*\))?\s*")
_OPENING, _CLOSING = frozenset({"(", "[", "CASE"}), frozenset({")", "]", "END"})
_ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0", "\b": "\\b", "\f": "\\f"}


def read_only_statement(statement: str) -> list[Token]:
    """The tokens of one statement that reads.

    Raises:
        StatementRefused: it is several, its quotes are not closed, its first word is none that reads, or it is nested too deep.
    """
    try:
        tokens = single_statement(statement, CLICKHOUSE)
    except SqlUnclear as error:
        raise StatementRefused(NAME, "The statement must be one, with all its quotes and comments closed") from error
    if first_word(tokens) not in READING:
        raise StatementRefused(NAME, f"Only statements that read are run here: {', '.join(sorted(READING - {'('}))}")
    _refuse_what_overflows(tokens)
    return tokens


def _refuse_what_overflows(tokens: list[Token]) -> None:
    depth = signs = 0
    for token in tokens:
        text = token.text.upper() if token.kind is Kind.WORD else token.text
        depth += (text in _OPENING) - (text in _CLOSING)
        signs += token.kind is Kind.SIGN and text != "," and not text[0].isdigit()
        if depth > MAX_DEPTH or signs > MAX_SIGNS:
            raise StatementRefused(NAME, f"The statement is nested deeper than {MAX_DEPTH} or has more than {MAX_SIGNS} brackets and signs")


def with_literals(tokens: list[Token], parameters: Mapping[str, Any]) -> str:
    """The statement for a server without parameters.

    Raises:
        StatementInvalid: a parameter is missing, its type is unreadable, or its value has no literal.
    """
    parts: list[str] = []
    position = 0
    while position < len(tokens):
        if tokens[position].text != "{":
            parts.append(tokens[position].text)
            position += 1
            continue
        end = next((index for index in range(position, len(tokens)) if tokens[index].text == "}"), None)
        if end is None:
            raise StatementInvalid(NAME, "A { is open; parameters are written {name:Type}")
        parts.append(_literal_of("".join(token.text for token in tokens[position + 1 : end]), parameters))
        position = end + 1
    return "".join(parts)


def named_parameters(tokens: list[Token], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Those parameters that the statement names, as its server binds them.

    Raises:
        StatementInvalid: one is missing or has no literal.
    """
    opened = [index for index, token in enumerate(tokens) if token.text == "{"]
    names = [tokens[index + 1].text for index in opened if index + 1 < len(tokens) and tokens[index + 1].kind is Kind.WORD]
    for name in names:
        literal(name, _value_of(name, parameters))
    return {name: parameters[name] for name in names}


def _literal_of(placeholder: str, parameters: Mapping[str, Any]) -> str:
    name, separator, type_name = placeholder.partition(":")
    if not separator or not _TYPE.fullmatch(type_name):
        raise StatementInvalid(NAME, "Parameters are written {name:Type}, with a ClickHouse type")
    value = _value_of(name.strip(), parameters)
    return f"CAST({literal(name, value)} AS {type_name.strip()})"


def _value_of(name: str, parameters: Mapping[str, Any]) -> Any:
    if name not in parameters:
        raise StatementInvalid(NAME, f"The statement names the parameter {name[:100]}, which is missing")
    return parameters[name]


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
    raise StatementInvalid(NAME, f"The parameter {name[:100]} must be null, a boolean, a number, a string, or a list of them")
