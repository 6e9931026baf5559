"""Reading JSON bodies, queries, and documents of others as Structs. Source: https://jcristharif.com/msgspec/converters.html"""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from functools import cache
from typing import Any, TypeAlias, TypeVar, Union

import msgspec
from msgspec import UNSET, UnsetType, inspect

from gateway.shapes.flaws import Flaw, Kind, admits_null, find_flaws, read_word

Shape = TypeVar("Shape")
T = TypeVar("T")
Maybe: TypeAlias = Union[T, UnsetType]  # noqa: UP007 - a member that may be absent, and then is UNSET (which is false); null is refused
WHOLE = re.compile(r"[+-]?[0-9]{1,30}")
NUMBER = re.compile(r"[+-]?([0-9]+\.?|[0-9]*\.[0-9]+)(e[+-]?[0-9]{1,3})?", re.IGNORECASE)
TRUE_OR_FALSE = dict.fromkeys(("true", "1", "yes", "on", "t", "y"), True) | dict.fromkeys(("false", "0", "no", "off", "f", "n"), False)
MILLISECONDS_FROM = 20_000_000_000  # a larger number of seconds since 1970 counts milliseconds
NO_MOMENT = ()  # not the text itself: msgspec would read some that we do not


class Unfit(Exception):
    """A value is not of its shape. Whoever reads it says what that means; the message repeats nothing that a client wrote."""

    def __init__(self, flaws: Sequence[Flaw]) -> None:
        super().__init__("The value is not of its shape")
        self.flaws = list(flaws)


def read(shape: type[Shape], value: object) -> Shape:
    """A JSON value as `shape`; nothing is converted.

    Raises:
        Unfit: it is not; `flaws` names everything that is wrong.
    """
    try:
        return msgspec.convert(value, shape, dec_hook=read_word)
    except (
        msgspec.ValidationError,
        OverflowError,
    ) as error:  # overflow: over 308 digits, where any number is wanted
        flaws = find_flaws(shape, value) or [Flaw((), Kind.OTHER, str(error))]
    raise Unfit(flaws)


def read_texts(shape: type[Shape], texts: Mapping[str, object]) -> Shape:
    """The parameters of a query as `shape`: each text as what its field is for, a moment without a zone as UTC. Unknown names are left.

    Raises:
        Unfit: one of them stands for nothing, or is out of bounds.
    """
    kinds = _kinds(shape)  # type: ignore[arg-type]  # every class is hashable
    return read(shape, {name: _understood(kinds[name], text) for name, text in texts.items() if name in kinds})


def known_part(shape: type, value: object) -> Any:
    """A copy as a tolerant reader takes it: without the members that `shape` does not know, and without a null where it wants none."""
    return _known(_described(shape), value)


def or_none(value: Maybe[T]) -> T | None:
    """None for what is absent."""
    return None if value is UNSET else value


@cache
def _described(shape: Any) -> inspect.Type:
    return inspect.type_info(shape)


@cache
def _kinds(shape: Any) -> dict[str, inspect.Type]:
    info = _described(shape)
    return {field.encode_name: _bare(field.type) for field in info.fields} if isinstance(info, inspect.StructType) else {}


def _understood(kind: inspect.Type, text: object) -> object:
    """What a text stands for where this type is wanted; the text itself when it stands for nothing."""
    if not isinstance(text, str):
        return text
    word = text.strip()
    match kind:
        case inspect.IntType():
            return int(word) if WHOLE.fullmatch(word) else text
        case inspect.FloatType():
            return _number(word, text)
        case inspect.BoolType():
            return TRUE_OR_FALSE.get(word.lower(), text)
        case inspect.DateTimeType():
            return _moment(word)
    return text


def _number(word: str, text: str) -> object:
    number = float(word) if NUMBER.fullmatch(word) else math.nan
    return number if math.isfinite(number) else text


def _moment(word: str) -> object:
    """ISO 8601, or the seconds or milliseconds since 1970; in the first and the last year of the calendar there is no room to count."""
    try:
        moment = _since_1970(float(word)) if NUMBER.fullmatch(word) else datetime.fromisoformat(word)
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return NO_MOMENT
    return moment if MINYEAR < moment.year < MAXYEAR else NO_MOMENT


def _since_1970(number: float) -> datetime:
    return datetime.fromtimestamp(number / 1000 if number > MILLISECONDS_FROM else number, UTC)


def _known(kind: inspect.Type, value: object) -> object:
    kind = _bare(kind)
    if isinstance(kind, inspect.StructType) and isinstance(value, Mapping):
        fields = {field.encode_name: field for field in kind.fields}
        return {name: _known(fields[name].type, item) for name, item in value.items() if name in fields and _is_wanted(fields[name], item)}
    if isinstance(kind, (inspect.ListType, inspect.VarTupleType)) and isinstance(value, (list, tuple)):
        return [_known(kind.item_type, item) for item in value]
    return value


def _is_wanted(field: inspect.Field, value: object) -> bool:
    return value is not None or field.required or admits_null(field.type)


def _bare(kind: inspect.Type) -> inspect.Type:
    """Without its notes, and without null beside it."""
    if isinstance(kind, inspect.Metadata):
        return _bare(kind.type)
    if isinstance(kind, inspect.UnionType):
        others = [each for each in kind.types if not isinstance(each, inspect.NoneType)]
        return _bare(others[0]) if len(others) == 1 else kind
    return kind
