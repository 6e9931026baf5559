"""Splits SQL into words, quoted parts, comments and signs: enough to tell one read from several statements, and to place parameters.

The server stays the judge of what a statement means; this keeps a second statement, or a call that a READ ONLY transaction
would not stop, from ever being sent.
Source: https://www.postgresql.org/docs/current/sql-syntax-lexical.html , https://clickhouse.com/docs/sql-reference/syntax
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from gateway.databases.errors import StatementRefused
from gateway.databases.model import DatabaseName

MAX_TOKENS = 200_000  # a tenth of a second's work; ten thousand values in a list are a fifth of it
_COMMENT_MARK = re.compile(r"/\*|\*/")


class Kind(Enum):
    """WORD: a name or keyword. NAME: a quoted name. TEXT: a string literal. GAP: white space or a comment. SIGN: anything else."""

    WORD = auto()
    NAME = auto()
    TEXT = auto()
    GAP = auto()
    SIGN = auto()


class Token(NamedTuple):
    """A piece of the statement; joined together, the pieces are the statement."""

    kind: Kind
    text: str


class SqlUnclear(Exception):
    """A quote or comment is open, a form stands there that could hide a name, or it is not one statement."""


@dataclass(frozen=True)
class Dialect:
    """How one engine quotes. `nested_comments`: as PostgreSQL has them."""

    database: DatabaseName
    pattern: re.Pattern[str]
    nested_comments: bool


_REST = r"(?P<comment>/\*)|(?P<number>[0-9][0-9A-Za-z_.]*)"
_LETTER = r"[A-Za-z_\x80-\U0010ffff]"  # to PostgreSQL every byte beyond ASCII is a letter, that of a no-break space too

POSTGRES = Dialect(
    DatabaseName.POSTGRES,
    re.compile(
        r"(?P<unicode>[uU]&[\"'])"
        r"|(?P<escaped>[eE]'(?:[^'\\]|\\.|'')*'(?!'))"
        r"|(?P<text>'(?:[^']|'')*'(?!'))"
        r"|(?P<name>\"(?:[^\"]|\"\")*\"(?!\"))"
        rf"|(?P<dollar>\$(?:{_LETTER}(?:{_LETTER}|[0-9])*)?\$)"
        r"|(?P<gap>[ \t\n\r\f\v]+|--[^\n\r]*)"
        rf"|{_REST}|(?P<word>{_LETTER}(?:{_LETTER}|[0-9$])*)|(?P<sign>[^'\"])",
        re.DOTALL,
    ),
    nested_comments=True,
)
CLICKHOUSE = Dialect(
    DatabaseName.CLICKHOUSE,
    re.compile(
        r"(?P<text>'(?:[^'\\]|\\.|'')*'(?!'))"
        r"|(?P<name>\"(?:[^\"\\]|\\.|\"\")*\"(?!\")|`(?:[^`\\]|\\.|``)*`(?!`))"
        r"|(?P<hash>\#[!\ ][^\n]*)|(?P<gap>\s+|(?:--|//)[^\n]*)"
        rf"|{_REST}|(?P<word>[^\W\d][\w$]*)|(?P<sign>[^'\"`])",
        re.DOTALL,
    ),
    nested_comments=False,
)
_KINDS = {"word": Kind.WORD, "name": Kind.NAME, "text": Kind.TEXT, "escaped": Kind.TEXT, "gap": Kind.GAP, "hash": Kind.GAP}


def tokens(statement: str, dialect: Dialect) -> Iterator[Token]:
    """The pieces of a statement, in order.

    Raises:
        SqlUnclear: a quote or comment is open, a Unicode-escaped form could hide a name, a text continues E'…', or there are more than
            MAX_TOKENS.
    """
    position, after_escaped = 0, False
    for _ in range(MAX_TOKENS):
        if position == len(statement):
            return
        match = dialect.pattern.match(statement, position)
        group = match.lastgroup if match else None
        if match is None or group is None or group == "unicode":
            raise SqlUnclear
        if after_escaped and group == "text":  # on a later line it belongs to the E'…', and backslashes escape in it too
            raise SqlUnclear
        after_escaped = group == "escaped" or (after_escaped and group in {"gap", "comment"})
        end = match.end()
        if group == "comment":
            end = _comment_end(statement, position, nested=dialect.nested_comments)
        elif group == "dollar":
            end = _dollar_end(statement, match)
        kind = {"comment": Kind.GAP, "dollar": Kind.TEXT}.get(group) or _KINDS.get(group, Kind.SIGN)
        yield Token(kind, statement[position:end])
        position = end
    raise SqlUnclear


def single_statement(statement: str, dialect: Dialect) -> list[Token]:
    """The tokens of the one statement in `statement`, without what ends it.

    Raises:
        StatementRefused: there is none, or more than one, or it is not clear where it ends.
    """
    try:
        return _one_of(tokens(statement, dialect))
    except SqlUnclear as error:
        raise StatementRefused(dialect.database, "The statement must be one, with all its quotes and comments closed") from error


def _one_of(pieces: Iterator[Token]) -> list[Token]:
    found: list[Token] = []
    ended = False
    for token in pieces:
        if ended and token.kind is not Kind.GAP:
            raise SqlUnclear
        ended = ended or token.text == ";"
        if not ended:
            found.append(token)
    if all(token.kind is Kind.GAP for token in found):
        raise SqlUnclear
    return found


def first_word(found: list[Token]) -> str:
    """The word that says what the statement does, upper case; "(" when it begins with one."""
    return next(token.text.upper() for token in found if token.kind is not Kind.GAP)


def called_names(found: list[Token]) -> Iterator[str]:
    """Every name directly before an opening bracket, lower case and unquoted: functions, and more."""
    name = ""
    for token in found:
        if token.text == "(" and name:
            yield name
        if token.kind is Kind.WORD:
            name = token.text.lower()
        elif token.kind is Kind.NAME:
            name = token.text[1:-1].replace('""', '"')
        elif token.kind is not Kind.GAP:
            name = ""


def _comment_end(statement: str, start: int, *, nested: bool) -> int:
    depth, position = 1, start + 2
    while depth:
        match = _COMMENT_MARK.search(statement, position)
        if match is None:
            raise SqlUnclear
        position = match.end()
        if match.group() == "*/":
            depth -= 1
        elif nested:
            depth += 1
    return position


def _dollar_end(statement: str, opening: re.Match[str]) -> int:
    end = statement.find(opening.group(), opening.end())
    if end < 0:
        raise SqlUnclear
    return end + len(opening.group())
