"""One CEL text: compiled once, bounded before it runs, and with errors in plain words.

In scope (contracts/configuration-service.md): `parameters`, `nodes.<id>.output`, `nodes.<id>.status`, `execution`; on an edge also
`output`, the source's. Only CEL's core functions; numbers with and without decimals mix as they do in JSON (`decimals.py`).
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any, Protocol

from gateway.errors import FieldError
from gateway.flows.cost import check_cost, pick
from gateway.flows.decimals import as_decimals, as_whole, with_decimals
from gateway.flows.errors import ExpressionFailed, ExpressionInvalid
from gateway.flows.results import to_json
from gateway.flows.tokens import MAX_LENGTH, Outline, outline

NODE_SCOPE = frozenset({"parameters", "nodes", "execution"})
SHOWN_CHARACTERS = 80
ARITHMETIC = "+-*/%"

REASONS: dict[type[Exception], str] = {
    IndexError: "a list has no item at this index",
    ZeroDivisionError: "it divides by zero",
    OverflowError: "a number grows beyond 64 bits",
    TypeError: "it mixes types that do not go together",
}

Scope = Mapping[str, Any]


class _Program(Protocol):
    def execute(self, context: dict[str, Any]) -> Any: ...


@dataclass(frozen=True)
class Expression:
    """One compiled CEL text."""

    text: str
    outline: Outline
    program: _Program

    def evaluate(self, scope: Scope) -> Any:
        """Its value as JSON.

        Raises:
            ExpressionFailed: it has no value on this scope, or would take too much work.
        """
        check_cost(self.outline, scope)
        values = pick(scope, self.outline.references)
        try:
            return to_json(self._execute(values))
        except (ArithmeticError, LookupError, TypeError, ValueError, RuntimeError) as error:
            raise ExpressionFailed(f"The expression {shown(self.text)} has no value: {_reason(error)}") from error

    def _execute(self, values: dict[str, Any]) -> Any:
        try:
            return self.program.execute(values)
        except TypeError as error:
            if not any(sign in self.text for sign in ARITHMETIC):
                raise
            try:
                return as_whole(_program(with_decimals(self.text)).execute(as_decimals(values)))
            except (ArithmeticError, LookupError, TypeError, ValueError, RuntimeError):
                raise error from None  # the first one speaks of the text as it was written


def compile_expression(text: str, names: frozenset[str] = NODE_SCOPE) -> Expression:
    """Compile one CEL text that may use these names.

    Raises:
        ExpressionInvalid: it does not compile, is too large, or uses a name that is not in scope.
    """
    if len(text) > MAX_LENGTH:
        raise _invalid(f"is longer than {MAX_LENGTH} characters")
    expression = _compile(text)
    for reference in expression.outline.references:
        if reference.path[0] not in names:
            raise _invalid(f"uses the name {reference.path[0][:SHOWN_CHARACTERS]!r}; in scope are {', '.join(sorted(names))}{_hint(text)}")
    return expression


@lru_cache(maxsize=4096)
def _compile(text: str) -> Expression:
    read = outline(text)
    try:
        program = _program(text)
    except ValueError as error:
        raise _invalid(f"does not compile: {_syntax(str(error))}{_hint(text)}") from error
    return Expression(text, read, program)


@lru_cache(maxsize=4096)
def _program(text: str) -> _Program:
    # The package imports its command line along with itself, and that a terminal toolkit: 6 MB and 0.1 s that nothing here needs.
    sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))
    import cel

    program: _Program = cel.compile(text)
    return program


def _invalid(problem: str) -> ExpressionInvalid:
    return ExpressionInvalid(f"The expression {problem}", [FieldError("", problem)])


def _hint(text: str) -> str:
    """`nodes.my-node` is a subtraction in CEL."""
    dashed = re.search(r"\bnodes\.([A-Za-z0-9_]+(?:-[A-Za-z0-9_]+)+)", text)
    return f'; a node id with a dash is written nodes["{dashed[1]}"]' if dashed else ""


def _syntax(message: str) -> str:
    """`line 1, column 3: …` out of the library's report, without its picture of the text."""
    found = re.search(r"ERROR: <input>:(\d+):(\d+): (?:Syntax error: )?([^\n]*)", message)
    if not found:
        return "it is no CEL expression"
    line, column, reason = found.groups()
    return f"line {line}, column {column}: {reason.split(' expecting ')[0][:200]}"


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"there is no {str(error.args[0])[:SHOWN_CHARACTERS] if error.args else 'such key'}"
    if unknown := re.search(r"variable or function: '([^']{1,80})'", str(error)):
        return f"{unknown.group(1)!r} is no name in scope and no function for these values"
    return next((reason for kind, reason in REASONS.items() if isinstance(error, kind)), "it fails on these values")


def shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…")
