"""Bounds on any JSON value before anything else looks at it. The walk does not recurse and stops at the first value too many."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from gateway.errors import FieldError

MAX_DEPTH = 32
MAX_VALUES = 50_000
MAX_KEY = 1_000  # characters of a key


class _Place(NamedTuple):
    """A value and the way to it; its pointer is written only when it is needed, for it may be longer than the value."""

    value: Any
    parent: "_Place | None"
    key: object
    depth: int

    def pointer(self) -> str:
        keys: list[object] = []
        place = self
        while place.parent is not None:
            keys.append(place.key)
            place = place.parent
        return pointer_to(*reversed(keys))


def find_excess(document: object, *, max_depth: int = MAX_DEPTH, max_values: int = MAX_VALUES) -> FieldError | None:
    """The first place where a value is too deep, or is one that JSON or PostgreSQL's jsonb cannot hold; None when all is well."""
    pending = [_Place(document, None, "", 0)]
    seen = 1
    while pending:
        place = pending.pop()
        problem = _problem_of(place.value) or (f"is nested deeper than {max_depth} levels" if place.depth > max_depth else None)
        if problem:
            return FieldError(place.pointer(), problem)
        seen += len(place.value) if isinstance(place.value, (dict, list, tuple)) else 0
        if seen > max_values:
            return FieldError(place.pointer(), f"brings the whole to more than {max_values} values")
        pending.extend(_Place(child, place, key, place.depth + 1) for key, child in _children(place.value))
    return None


def find_twice(pairs: Sequence[tuple[str, Any]]) -> str | None:
    """The first name that comes a second time among the members of one JSON object; None when each comes once."""
    if len({name for name, _ in pairs}) == len(pairs):
        return None
    seen: set[str] = set()
    return next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]


def pointer_to(*parts: object) -> str:
    """The RFC 6901 pointer of these path parts."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def _children(value: object) -> Iterator[tuple[object, object]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, (list, tuple)):
        yield from enumerate(value)


def _problem_of(value: object) -> str | None:
    if isinstance(value, str):
        return _problem_of_text(value)
    if isinstance(value, dict):
        return next((f"has a key that {problem}" for key in value if (problem := _problem_of_key(key))), None)
    if isinstance(value, float) and not math.isfinite(value):
        return "is not a finite number"
    if value is None or isinstance(value, (bool, int, float, list, tuple)):
        return None
    return "is not a JSON value"


def _problem_of_key(key: object) -> str | None:
    if not isinstance(key, str):
        return "is not a string"
    return f"is longer than {MAX_KEY} characters" if len(key) > MAX_KEY else _problem_of_text(key)


def _problem_of_text(text: str) -> str | None:
    if text.isascii():
        return "holds the character U+0000" if "\x00" in text else None
    if any("\ud800" <= character <= "\udfff" for character in text):
        return "holds half a surrogate pair"
    return "holds the character U+0000" if "\x00" in text else None
