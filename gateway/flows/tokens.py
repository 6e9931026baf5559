"""Reading a CEL text without running it: which names it uses, how deep it goes, which loops it holds.

The library keeps its syntax tree to itself, and a text that is too deep or loops over loops must be refused before it is compiled or run
(docs/adr/0003-cel-library.md). Source of the lexical grammar: https://github.com/cel-expr/cel-spec/blob/master/doc/langdef.md#syntax
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.flows.errors import ExpressionInvalid

MAX_LENGTH = 4_096  # characters of one expression
MAX_TOKENS = 400  # the library's stack use grows with operators in a row; 200 of them fit in 256 KiB
MAX_DEPTH = 24  # brackets and conditional operators; the library itself refuses about 100
MAX_LOOPS = 4  # map, filter, all, exists, exists_one

LOOPS = frozenset({"map", "filter", "all", "exists", "exists_one", "existsOne"})
BUILDING_LOOPS = frozenset({"map", "filter", "exists_one", "existsOne"})  # copy what they gathered at every step
WORDS = frozenset({"true", "false", "null", "in"})

TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<text>[bB]?[rR][bB]?(?:'''(?s:.*?)'''|\"{3}(?s:.*?)\"{3}|'[^'\n\r]*'|"[^"\n\r]*")
        |[bB]?(?:'''(?:\\(?s:.)|[^\\])*?'''|\"{3}(?:\\(?s:.)|[^\\])*?\"{3}|'(?:\\.|[^'\\\n\r])*'|"(?:\\.|[^"\\\n\r])*"))
    |(?P<number>(?:0[xX][0-9a-fA-F]+|(?:[0-9]+\.[0-9]+|[0-9]+|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[uU]?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>&&|\|\||[=!<>]=|[-+*/%!<>?:.,()\[\]{}])""",
    re.VERBOSE,
)
OPENING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True)
class Token:
    """One word of an expression. `kind` is text, number, name or sign; `end` the offset behind it."""

    kind: str
    text: str
    end: int


@dataclass(frozen=True)
class Reference:
    """A value that the expression reads: `path` as far as it is fixed (`nodes`, `fetch`, `output`), `loops` around it."""

    path: tuple[str, ...]
    loops: int


@dataclass(frozen=True)
class Loop:
    """A comprehension. `nesting` is 1 for an outermost one, `uses` how often its body names its variable."""

    builds: bool
    nesting: int
    uses: int


@dataclass(frozen=True)
class Outline:
    """What an expression reads and how it loops. `pattern_cost` is the weight of its regular expressions."""

    references: tuple[Reference, ...]
    loops: tuple[Loop, ...]
    literals: int
    commas: int
    adds: bool
    pattern_cost: int
    tokens: int


@dataclass
class _Bracket:
    closing: str
    loop: str | None = None
    variable: str | None = None
    uses: int = 0


@dataclass
class _Reader:
    tokens: list[Token]
    brackets: list[_Bracket] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)
    literals: int = 0
    pattern_cost: int = 0

    def text_at(self, index: int) -> str:
        return self.tokens[index].text if 0 <= index < len(self.tokens) else ""


def outline(text: str) -> Outline:
    """Read the whole expression.

    Raises:
        ExpressionInvalid: it is too long, too deep, loops too much, or holds what no CEL text holds.
    """
    reader = _Reader([*read_tokens(text)])
    if sum(token.text == "?" for token in reader.tokens) > MAX_DEPTH:
        raise ExpressionInvalid(f"The expression holds more than {MAX_DEPTH} conditional operators")
    for index, token in enumerate(reader.tokens):
        _read(reader, index, token)
    if reader.brackets:
        raise ExpressionInvalid(f"The expression lacks a closing {reader.brackets[-1].closing}")
    if len(reader.loops) > MAX_LOOPS:
        raise ExpressionInvalid(f"The expression holds more than {MAX_LOOPS} loops (map, filter, all, exists)")
    signs = [token.text for token in reader.tokens if token.kind == "sign"]
    return Outline(
        tuple(reader.references),
        tuple(reader.loops),
        reader.literals,
        signs.count(","),
        "+" in signs,
        reader.pattern_cost,
        len(reader.tokens),
    )


def read_tokens(text: str, start: int = 0) -> Iterator[Token]:
    """The words of an expression, without blanks and comments.

    Raises:
        ExpressionInvalid: a character that begins no word, or more text or words than an expression may have.
    """
    offset, count, end = start, 0, start + MAX_LENGTH
    while offset < len(text):
        match = TOKEN.match(text, offset, end)
        if offset >= end:
            raise ExpressionInvalid(f"The expression is longer than {MAX_LENGTH} characters")
        if not match or not match.lastgroup:
            raise ExpressionInvalid(f"The expression cannot be read at character {offset - start + 1}")
        offset = match.end()
        if match.lastgroup != "space":
            count += 1
            if count > MAX_TOKENS:
                raise ExpressionInvalid(f"The expression holds more than {MAX_TOKENS} words and signs")
            yield Token(match.lastgroup, match.group(), offset)


def _read(reader: _Reader, index: int, token: Token) -> None:
    if token.kind in ("text", "number"):
        reader.literals += 1 + len(token.text) // 32
    elif token.kind == "name":
        _read_name(reader, index, token.text)
    elif token.text in OPENING:
        _open(reader, index, token.text)
    elif token.text in OPENING.values():
        _close(reader, token.text)


def _open(reader: _Reader, index: int, sign: str) -> None:
    if len(reader.brackets) >= MAX_DEPTH:
        raise ExpressionInvalid(f"The expression is nested deeper than {MAX_DEPTH} levels")
    called = reader.text_at(index - 1) if sign == "(" and reader.text_at(index - 2) == "." else ""
    if called in LOOPS:
        reader.brackets.append(_Bracket(OPENING[sign], loop=called, variable=reader.text_at(index + 1)))
        return
    if called == "matches":
        reader.pattern_cost += _pattern_cost(reader, index)
    reader.brackets.append(_Bracket(OPENING[sign]))


def _close(reader: _Reader, sign: str) -> None:
    if not reader.brackets or reader.brackets[-1].closing != sign:
        raise ExpressionInvalid(f"The expression holds a {sign} that closes nothing")
    bracket = reader.brackets.pop()
    if bracket.loop:
        nesting = 1 + sum(1 for outer in reader.brackets if outer.loop)
        reader.loops.append(Loop(bracket.loop in BUILDING_LOOPS, nesting, bracket.uses - 1))


def _read_name(reader: _Reader, index: int, name: str) -> None:
    if name in WORDS or reader.text_at(index - 1) == "." or reader.text_at(index + 1) == "(":
        return
    around = [bracket for bracket in reader.brackets if bracket.loop]
    owner = next((bracket for bracket in reversed(around) if bracket.variable == name), None)
    if owner:
        owner.uses += 1  # the declaration counts as the first
    else:
        reader.references.append(Reference((name, *_path_after(reader, index + 1)), len(around)))


def _path_after(reader: _Reader, index: int) -> Iterator[str]:
    """The fixed part of what follows a name: `.word` that is no call, and `["text"]`."""
    while True:
        if reader.text_at(index) == "." and reader.text_at(index + 2) != "(":
            yield reader.text_at(index + 1)
            index += 2
        elif reader.text_at(index) == "[" and reader.text_at(index + 2) == "]" and reader.tokens[index + 1].kind == "text":
            key = _plain_text(reader.text_at(index + 1))
            if key is None:
                return
            yield key
            index += 3
        else:
            return


def _plain_text(literal: str) -> str | None:
    """The value of a simple quoted text; None for raw ones, bytes and those with escapes, which are not followed."""
    if literal[0] not in "'\"" or "\\" in literal or literal[:3] in ("'''", '"""'):
        return None
    return str(ast.literal_eval(literal))


def _pattern_cost(reader: _Reader, index: int) -> int:
    """A written pattern without counted repetition compiles in microseconds; any other may take forty milliseconds (measured)."""
    pattern, closing = reader.text_at(index + 1), reader.text_at(index + 2)
    written = pattern[:1] in ("'", '"', "r") and closing == ")"
    return 1_000 if written and "{" not in pattern and len(pattern) <= 200 else 300_000
