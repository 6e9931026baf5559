"""Everything that is wrong with a value. Source: https://jcristharif.com/msgspec/api.html#inspect"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Any, Protocol, Self

from msgspec import inspect

Path = tuple[str | int, ...]
MAX_FLAWS = 100  # nobody reads more, and who sends a body of nothing else shall not keep a process busy
IN_WORDS = "in words"  # key of `Meta(extra=…)`: what a text that does not match its pattern is told, instead of the pattern


class Kind(StrEnum):
    """What is wrong, for who has words of their own for it."""

    REQUIRED = "required"
    UNKNOWN = "unknown"
    NULL = "null"
    TEXT = "text"
    EMPTY_TEXT = "empty_text"
    LONG_TEXT = "long_text"
    PATTERN = "pattern"
    NUMBER = "number"
    FRACTION = "fraction"
    SMALL = "small"
    LARGE = "large"
    BOOLEAN = "boolean"
    OBJECT = "object"
    LIST = "list"
    FEW_ITEMS = "few_items"
    MANY_ITEMS = "many_items"
    CHOICE = "choice"
    OTHER = "other"


@dataclass(frozen=True)
class Flaw:
    """One thing wrong: where, and what, to stand behind the name of the place. Never the value, which may be a secret."""

    path: Path
    kind: Kind
    detail: str


class Word(Protocol):
    """A type of ours that is written as text."""

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Raises ValueError: `must be …`."""


Found = tuple[Kind, str]


def find_flaws(shape: type, value: object) -> list[Flaw]:
    """Everything that is wrong with a JSON value, in the order of the shape's fields; at most MAX_FLAWS things."""
    return list(islice(_look(inspect.type_info(shape), value, ()), MAX_FLAWS))


def portable(pattern: str) -> str:
    r"""A pattern in the dialect of JSON Schema (ECMA-262): Python's `\Z` is `$` there."""
    return pattern.replace(r"\Z", "$")


def read_word(word: type[Word], value: object) -> Word:
    """A text as a type of ours, for msgspec's `dec_hook`.

    Raises:
        ValueError: see `Word.from_text`.
    """
    return value if isinstance(value, word) else word.from_text(value if isinstance(value, str) else "")


def admits_null(kind: inspect.Type) -> bool:
    """Whether null is a value of this type."""
    if isinstance(kind, inspect.Metadata):
        return admits_null(kind.type)
    return isinstance(kind, (inspect.AnyType, inspect.NoneType)) or (isinstance(kind, inspect.UnionType) and kind.includes_none)


def _look(kind: inspect.Type, value: Any, path: Path) -> Iterator[Flaw]:
    """What is wrong with this value and within it; it is walked through beside the description of its type."""
    match kind:
        case inspect.Metadata():
            yield from _in_words(_look(kind.type, value, path), path, kind.extra or {})
        case inspect.UnionType():
            yield from _of_some(kind, value, path)
        case inspect.StructType():
            yield from _members(kind, value, path)
        case inspect.ListType() | inspect.VarTupleType():
            yield from _items(kind, value, path)
        case _:
            if found := _flaw_of_one(kind, value):
                yield Flaw(path, *found)


def _of_some(kind: inspect.UnionType, value: Any, path: Path) -> Iterator[Flaw]:
    if value is None and kind.includes_none:
        return
    found = [list(_look(each, value, path)) for each in kind.types if not isinstance(each, inspect.NoneType)]
    if len(found) == 1:
        yield from found[0]
    elif all(found):
        words = [flaws[0].detail.removeprefix("must be ") for flaws in found]
        yield Flaw(path, Kind.OTHER, f"must be {' or '.join(words)}")


def _members(kind: inspect.StructType, value: Any, path: Path) -> Iterator[Flaw]:
    if not isinstance(value, Mapping):
        yield Flaw(path, Kind.OBJECT, "must be an object")
        return
    for field in kind.fields:
        place = (*path, field.encode_name)
        if field.encode_name not in value:
            if field.required:
                yield Flaw(place, Kind.REQUIRED, "is required")
        elif value[field.encode_name] is None and not field.required and not admits_null(field.type):
            yield Flaw(place, Kind.NULL, "must be absent rather than null")
        else:
            yield from _look(field.type, value[field.encode_name], place)
    if kind.forbid_unknown_fields:
        names = {field.encode_name for field in kind.fields}
        yield from (Flaw((*path, name), Kind.UNKNOWN, "is not a known field") for name in value if name not in names)


def _items(kind: inspect.ListType | inspect.VarTupleType, value: Any, path: Path) -> Iterator[Flaw]:
    if not isinstance(value, (list, tuple)):
        yield Flaw(path, Kind.LIST, "must be a list")
        return
    if kind.min_length is not None and len(value) < kind.min_length:
        yield Flaw(path, Kind.FEW_ITEMS, "must not be empty")
    if kind.max_length is not None and len(value) > kind.max_length:
        yield Flaw(path, Kind.MANY_ITEMS, f"holds {len(value)} items; at most {kind.max_length} are allowed")
    for index, item in enumerate(value):
        yield from _look(kind.item_type, item, (*path, index))


def _in_words(flaws: Iterator[Flaw], path: Path, extra: Mapping[str, Any]) -> Iterator[Flaw]:
    for flaw in flaws:
        in_words = extra.get(IN_WORDS) if flaw.kind is Kind.PATTERN and flaw.path == path else None
        yield replace(flaw, detail=in_words) if in_words else flaw


def _flaw_of_one(kind: inspect.Type, value: Any) -> Found | None:  # noqa: PLR0911 - one for each type
    match kind:
        case inspect.StrType():
            return _flaw_of_text(kind, value)
        case inspect.IntType() | inspect.FloatType():
            return _flaw_of_number(kind, value)
        case inspect.BoolType():
            return None if isinstance(value, bool) else (Kind.BOOLEAN, "must be true or false")
        case inspect.DictType():
            return None if isinstance(value, Mapping) else (Kind.OBJECT, "must be an object")
        case inspect.EnumType():
            return _flaw_of_choice([each.value for each in kind.cls], value)
        case inspect.LiteralType():
            return _flaw_of_choice(kind.values, value)
        case inspect.DateTimeType():
            return None if isinstance(value, datetime) else (Kind.OTHER, "must be a moment such as 2026-01-31T12:00:00Z")
        case inspect.CustomType():
            return _flaw_of_word(kind.cls, value)
    return None


def _flaw_of_text(kind: inspect.StrType, value: Any) -> Found | None:
    if not isinstance(value, str):
        return Kind.TEXT, "must be a string"
    if kind.min_length is not None and len(value) < kind.min_length:
        return Kind.EMPTY_TEXT, "must not be empty"
    if kind.max_length is not None and len(value) > kind.max_length:
        return Kind.LONG_TEXT, f"is longer than {kind.max_length} characters"
    if kind.pattern is not None and not re.search(kind.pattern, value):
        return Kind.PATTERN, f"does not match {portable(kind.pattern)}"
    return None


def _flaw_of_number(kind: inspect.IntType | inspect.FloatType, value: Any) -> Found | None:
    if isinstance(kind, inspect.IntType) and (not isinstance(value, int) or isinstance(value, bool)):
        return Kind.FRACTION if isinstance(value, float) else Kind.NUMBER, "must be a whole number"
    if isinstance(kind, inspect.FloatType) and not _is_double(value):
        return Kind.NUMBER, "must be a number"
    if kind.ge is not None and value < kind.ge:
        return Kind.SMALL, f"must be at least {kind.ge}"
    if kind.gt is not None and value <= kind.gt:
        return Kind.SMALL, f"must be more than {kind.gt}"
    if kind.le is not None and value > kind.le:
        return Kind.LARGE, f"must be at most {kind.le}"
    return None


def _is_double(value: Any) -> bool:
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number of more than 308 digits
        return False


def _flaw_of_choice(choices: Sequence[object], value: object) -> Found | None:
    if isinstance(value, str) and value in choices:
        return None
    *others, last = [repr(choice) for choice in choices]
    return Kind.CHOICE, f"must be {', '.join(others)} or {last}" if others else f"must be {last}"


def _flaw_of_word(word: type[Word], value: object) -> Found | None:
    try:
        read_word(word, value)
    except ValueError as error:
        return Kind.OTHER, str(error)
    return None
