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
MAX_CHARACTERS = 64 * 1024  # of all expressions in one value


@dataclass(frozen=True)
class Template:
    """A compiled JSON value. `expressions` pairs each expression with the pointer of its string."""

    value: Any
    expressions: tuple[tuple[str, Expression], ...]
    _strings: Mapping[str, tuple[str | Expression, ...]]

    @property
    def references(self) -> tuple[tuple[str, Reference], ...]:
        """What it reads, each with the pointer of the string that does."""
        return tuple((pointer, reference) for pointer, expression in self.expressions for reference in expression.outline.references)

    @property
    def characters(self) -> int:
        """Length of all its expressions."""
        return sum(len(expression.text) for _, expression in self.expressions)

    def render(self, scope: Scope) -> Any:
        """The value with every `${…}` replaced.

        Raises:
            ExpressionFailed: one of them has no value on this scope.
        """
        return _map_strings(self.value, "", lambda pointer, text: _render_string(self._strings.get(pointer, (text,)), scope))


def compile_template(value: object, names: frozenset[str] = NODE_SCOPE) -> Template:
    """Compile every `${…}` of a JSON value.

    Raises:
        ExpressionInvalid: one does not compile or is never closed, or the value is too deep or holds too many;
            `errors` points into `value`.
    """
    if excess := find_excess(value):
        raise ExpressionInvalid(f"The value {excess.detail}", [excess])
    strings: dict[str, tuple[str | Expression, ...]] = {}
    count = characters = 0
    for pointer, text in _strings_of(value):
        try:
            parts = strings[pointer] = tuple(_compile_string(text, names))
        except ExpressionInvalid as error:
            raise ExpressionInvalid(error.detail, [FieldError(pointer, error.detail)]) from error
        found = [part for part in parts if isinstance(part, Expression)]
        count += len(found)
        characters += sum(len(each.text) for each in found)
        if count > MAX_EXPRESSIONS or characters > MAX_CHARACTERS:
            detail = f"The value holds more than {MAX_EXPRESSIONS} expressions or {MAX_CHARACTERS} characters of them"
            raise ExpressionInvalid(detail, [FieldError(pointer, detail)])
    expressions = tuple((pointer, part) for pointer, parts in strings.items() for part in parts if isinstance(part, Expression))
    return Template(value, expressions, strings)


def holds_expression(text: str) -> bool:
    """Whether a string holds a `${…}`."""
    return "${" in text.replace("$${", "")


def _strings_of(value: object) -> Iterator[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    _map_strings(value, "", lambda pointer, text: found.append((pointer, text)))
    return (each for each in found if "${" in each[1])


def _map_strings(value: Any, pointer: str, change: Callable[[str, str], Any]) -> Any:
    """Recursion is bounded: values deeper than `limits.MAX_DEPTH` are refused before."""
    if isinstance(value, str):
        return change(pointer, value)
    if isinstance(value, Mapping):
        return {key: _map_strings(item, pointer + pointer_to(key), change) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_map_strings(item, f"{pointer}/{index}", change) for index, item in enumerate(value)]
    return value


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


def _render_string(parts: tuple[str | Expression, ...], scope: Scope) -> Any:
    if len(parts) == 1:
        return parts[0] if isinstance(parts[0], str) else parts[0].evaluate(scope)
    return "".join(part if isinstance(part, str) else _as_text(part.evaluate(scope)) for part in parts)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
