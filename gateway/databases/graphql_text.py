"""Reads as much of a GraphQL document as tells whether it is one query of fields that only read.

Source: https://spec.graphql.org/October2021/#sec-Language (lexical tokens, document, selection sets).
"""

import re
from collections.abc import Iterator

from gateway.databases.errors import StatementRefused
from gateway.databases.model import DatabaseName

READING_FIELDS = frozenset({"Get", "Aggregate", "Explore"})
MAX_DEPTH = 64
MAX_TOKENS = 200_000
_TOKEN = re.compile(
    r'"""(?:\\"""|\\(?!""")|"(?!"")|[^"\\])*"""|"(?:[^"\\\n]|\\.)*"'  # texts; in a block one a backslash stands for itself, but for \"""
    r"|(?P<gap>[\s,\ufeff]+|\#[^\n\r]*)"
    r"|(?P<name>[_A-Za-z]\w*)|\.\.\.|[-\d.eE+]+|(?P<sign>[!$&()\[\]{}:=@|])",
    re.ASCII,
)
_OPENING = {"(": ")", "[": "]", "{": "}"}


def refuse_all_but_reading(database: DatabaseName, statement: str) -> None:
    """Let one query through whose fields at the top are Get, Aggregate or Explore.

    Raises:
        StatementRefused: it is a mutation, a subscription, several operations, a fragment, another field, or does not read as GraphQL.
    """
    words = list(_words(database, statement))
    start = _refuse_other_operations(database, words)
    closing: list[str] = []
    previous = ""
    for position in range(start, len(words)):
        word = words[position]
        if word in _OPENING:
            closing.append(_OPENING[word])
            if len(closing) > MAX_DEPTH:
                raise StatementRefused(database, f"The query is nested deeper than {MAX_DEPTH}")
        elif closing and word == closing[-1]:
            closing.pop()
            if not closing and position != len(words) - 1:
                raise StatementRefused(database, "The statement must be one query, without fragments")
        elif word in {")", "]", "}"} or not closing:
            raise StatementRefused(database, "The statement does not read as one GraphQL query")
        elif closing == ["}"] and previous != "@":
            _refuse_other_fields(database, word, words[position + 1 : position + 2])
        previous = word
    if closing:
        raise StatementRefused(database, "The statement does not read as one GraphQL query")


def _words(database: DatabaseName, statement: str) -> Iterator[str]:
    position = 0
    for _ in range(MAX_TOKENS):
        if position == len(statement):
            return
        match = _TOKEN.match(statement, position)
        if match is None:
            raise StatementRefused(database, f"The statement does not read as GraphQL at character {position}")
        position = match.end()
        if match.lastgroup != "gap":
            yield match.group()
    raise StatementRefused(database, f"The statement has more than {MAX_TOKENS} words and signs")


def _refuse_other_operations(database: DatabaseName, words: list[str]) -> int:
    """The index of the brace that opens the query."""
    if words[:1] == ["{"]:
        return 0
    if words[:1] != ["query"]:
        raise StatementRefused(database, "Only a query is run here, without fragments")
    # Variable definitions may hold default objects in braces; the selection is the first brace outside of their brackets.
    depth = 0
    for position, word in enumerate(words):
        if word == "{" and depth == 0:
            return position
        depth += (word == "(") - (word == ")")
    raise StatementRefused(database, "The statement does not read as one GraphQL query")


def _refuse_other_fields(database: DatabaseName, word: str, following: list[str]) -> None:
    """A word directly inside the query: a field, or the alias before its colon."""
    if word == ":" or following == [":"]:
        return
    if word not in READING_FIELDS and word != "@":
        raise StatementRefused(database, f"At the top stand only {', '.join(sorted(READING_FIELDS))}")
