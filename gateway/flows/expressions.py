"""Conditions of edges, and the door to the expression language: `compile_condition`, `compile_template`, `compile_expression`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.flows.compiling import NODE_SCOPE, Expression, Scope, compile_expression, shown
from gateway.flows.errors import ExpressionFailed, ExpressionInvalid
from gateway.flows.templates import Template, compile_template
from gateway.flows.tokens import MAX_LENGTH, WORDS, Reference

__all__ = ["Condition", "Expression", "Scope", "Template", "compile_condition", "compile_expression", "compile_template"]

EDGE_SCOPE = NODE_SCOPE | {"output"}
BARE_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Condition:
    """When an edge is taken: an expression, or the bare word that names a field of the source's output."""

    text: str
    field: str | None
    expression: Expression | None

    @property
    def references(self) -> tuple[Reference, ...]:
        """What it reads; a bare word reads the source's output."""
        return self.expression.outline.references if self.expression else (Reference(("output", self.field or ""), 0),)

    @property
    def tokens(self) -> int:
        """Words and signs of it."""
        return self.expression.outline.tokens if self.expression else 1

    def evaluate(self, scope: Scope) -> bool:
        """Whether the edge is taken.

        A bare word: absent, null, false, 0 and empty texts, lists and objects are false, everything else is true (the text "false" too).

        Raises:
            ExpressionFailed: the expression has no value, or one that is neither true nor false.
        """
        if self.expression is None:
            output = scope.get("output")
            return isinstance(output, Mapping) and bool(output.get(self.field or ""))
        value = self.expression.evaluate(scope)
        if not isinstance(value, bool):
            raise ExpressionFailed(f"The condition {shown(self.text)} is neither true nor false but {_kind(value)}")
        return value


def compile_condition(text: str) -> Condition:
    """Compile the condition of an edge; one that is wholly `${…}` is read without these signs.

    Raises:
        ExpressionInvalid: it does not compile, is too large, or uses a name that is not in scope.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionInvalid(f"The condition is longer than {MAX_LENGTH} characters")
    stripped = text.strip()
    if stripped.startswith("${") and stripped.endswith("}"):
        stripped = stripped[2:-1].strip()
    if BARE_WORD.fullmatch(stripped) and stripped not in WORDS:
        return Condition(text, stripped, None)
    return Condition(text, None, compile_expression(stripped, EDGE_SCOPE))


def _kind(value: object) -> str:
    if value is None:
        return "null"
    names = {str: "a text", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), "another value")
