"""JSON values whose strings hold CEL in `${…}`.

A string that is one `${…}` and nothing else keeps the value's type; in any other string the value is written as text (strings as they are,
everything else as JSON). `$${` stands for the signs `${` themselves. Keys of objects are not looked at.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.errors import FieldError
from gateway.flows.compiling import NODE_SCOPE, Expression, Scope, compile_expression
from gateway.flows.errors import ExpressionInvalid
from gateway.flows.limits import find_excess, pointer_to
from gateway.flows.tokens import OPENING, Reference, read_tokens

MAX_EXPRESSIONS = 500  # in one value
MAX_TOKENS = 10_000  # words and signs of all expressions in one value


Escape = Callable[[str], str]
"""What is done to a value's text before it becomes a part of a string."""


@dataclass(frozen=True)
class _Text:
    """A string with `${…}` in it."""

    parts: tuple[str | Expression, ...]

    def render(self, scope: Scope, escape: Escape | None) -> Any:
        if len(self.parts) == 1:
            return self.parts[0] if isinstance(self.parts[0], str) else self.parts[0].evaluate(scope)
        escape = escape or str
        return "".join(part if isinstance(part, str) else escape(_as_text(part.evaluate(scope))) for part in self.parts)


@dataclass(frozen=True)
class Template:
    """A compiled JSON value. `expressions` pairs each expression with the pointer of its string."""

    _tree: Any
    expressions: tuple[tuple[str, Expression], ...]

    @property
    def references(self) -> tuple[tuple[str, Reference], ...]:
        """What it reads, each with the pointer of the string that does."""
        return tuple((pointer, reference) for pointer, expression in self.expressions for reference in expression.outline.references)

    @property
    def tokens(self) -> int:
        """Words and signs of all its expressions."""
        return sum(expression.outline.tokens for _, expression in self.expressions)

    def render(self, scope: Scope, escapes: Mapping[tuple[object, ...], Escape] | None = None) -> Any:
        """The value with every `${…}` replaced.

        Args:
            escapes: by the path of a string: what is done to values that become a part of it. A value that is the whole string stays.
        Raises:
            ExpressionFailed: one of them has no value on this scope.
        """
        by_path = escapes or {}
        return _map(self._tree, (), lambda path, leaf: leaf.render(scope, by_path.get(path)) if isinstance(leaf, _Text) else leaf)


def compile_template(value: object, names: frozenset[str] = NODE_SCOPE) -> Template:
    """Compile every `${…}` of a JSON value.

    Raises:
        ExpressionInvalid: one does not compile or is never closed, or the value is too deep or holds too many;
            `errors` points into `value`.
    """
    if excess := find_excess(value):
        raise ExpressionInvalid(f"The value {excess.detail}", [excess])
    found: list[tuple[str, Expression]] = []

    def compile_leaf(path: tuple[object, ...], leaf: Any) -> Any:
        if not isinstance(leaf, str) or "${" not in leaf:
            return leaf
        text = _compile_text(path, leaf, names)
        expressions = [part for part in text.parts if isinstance(part, Expression)]
        found.extend((pointer_to(*path), expression) for expression in expressions)
        if len(found) > MAX_EXPRESSIONS or sum(expression.outline.tokens for _, expression in found) > MAX_TOKENS:
            raise _refused(path, f"The value holds more than {MAX_EXPRESSIONS} expressions, or {MAX_TOKENS} words and signs in them")
        return text

    return Template(_map(value, (), compile_leaf), tuple(found))


def holds_expression(text: str) -> bool:
    """Whether a string holds a `${…}`."""
    return "${" in text.replace("$${", "")


def _map(value: Any, path: tuple[object, ...], change: Callable[[tuple[object, ...], Any], Any]) -> Any:
    """The same value with every leaf changed. Recursion is bounded: values deeper than `limits.MAX_DEPTH` are refused before."""
    if isinstance(value, Mapping):
        return {key: _map(item, (*path, key), change) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_map(item, (*path, index), change) for index, item in enumerate(value)]
    return change(path, value)


def _compile_text(path: tuple[object, ...], text: str, names: frozenset[str]) -> _Text:
    try:
        return _Text(tuple(_compile_string(text, names)))
    except ExpressionInvalid as error:
        raise _refused(path, error.detail) from error


def _refused(path: tuple[object, ...], detail: str) -> ExpressionInvalid:
    return ExpressionInvalid(detail, [FieldError(pointer_to(*path), detail)])


def _compile_string(text: str, names: frozenset[str]) -> Iterator[str | Expression]:
    offset = count = 0
    while (start := text.find("${", offset)) >= 0:
        if start > offset and text[start - 1] == "$":
            yield text[offset : start - 1] + "${"
            offset = start + 2
            continue
        if start > offset:
            yield text[offset:start]
        end = _end_of_expression(text, start + 2)
        yield compile_expression(text[start + 2 : end], names)
        offset, count = end + 1, count + 1
        if count > MAX_EXPRESSIONS:
            raise ExpressionInvalid(f"The string holds more than {MAX_EXPRESSIONS} expressions")
    if offset < len(text):
        yield text[offset:]


def _end_of_expression(text: str, start: int) -> int:
    """Offset of the bracket that closes the `${` before `start`; brackets inside CEL's own texts and objects do not."""
    depth = 0
    for token in read_tokens(text, start):
        if token.text in OPENING:
            depth += 1
        elif token.text in OPENING.values():
            if depth == 0 and token.text == "}":
                return token.end - 1
            depth -= 1
    raise ExpressionInvalid("The string holds a ${ that is never closed")


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
