"""Reading what a client sent: JSON bodies and query parameters, bounded and checked, or an `InvalidRequest` that names each field."""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Self, TypeVar

from flask import request
from msgspec import Meta, Struct
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from config.broken_request import BrokenRequest
from gateway.errors import FieldError, InvalidInput
from gateway.flows.limits import find_excess, find_twice, pointer_to
from gateway.shapes.flaws import IN_WORDS, Flaw, Kind
from gateway.shapes.reading import Unfit, read, read_texts

# Wider than a definition's own bounds: an execution's result may be any JSON that a service answered.
MAX_DEPTH = 128
MAX_VALUES = 200_000

# What is wrong, in Joi's words, which the platform's clients know (https://joi.dev/api/#list-of-errors).
JOI_TYPES = {
    Kind.REQUIRED: "any.required",
    Kind.UNKNOWN: "object.unknown",
    Kind.TEXT: "string.base",
    Kind.EMPTY_TEXT: "string.empty",
    Kind.LONG_TEXT: "string.max",
    Kind.PATTERN: "string.pattern.base",
    Kind.NUMBER: "number.base",
    Kind.FRACTION: "number.integer",
    Kind.SMALL: "number.min",
    Kind.LARGE: "number.max",
    Kind.BOOLEAN: "boolean.base",
    Kind.OBJECT: "object.base",
    Kind.LIST: "array.base",
    Kind.FEW_ITEMS: "array.min",
    Kind.MANY_ITEMS: "array.max",
    Kind.CHOICE: "any.only",
}


@dataclass(frozen=True)
class Detail:
    """One thing wrong, in Joi's form."""

    message: str
    path: tuple[str | int, ...]
    type: str = "any.invalid"

    def to_json(self) -> dict[str, Any]:
        """`{message, path[], type}`."""
        return {"message": self.message, "path": list(self.path), "type": self.type}


class InvalidRequest(InvalidInput):
    """The body or query breaks a rule; `details` names each place."""

    def __init__(self, message: str, details: list[Detail]) -> None:
        super().__init__(message, [FieldError(pointer_to(*each.path), each.message) for each in details])
        self.details = details[:100]

    @classmethod
    def of(cls, message: str, *path: str | int, kind: str = "any.invalid") -> Self:
        """One thing wrong in one place."""
        return cls(message, [Detail(message, path, kind)])


# The parts of patterns: characters that stand in a line of text, and those of them that are no space.
LINE, INK = r"[^\x00-\x1f\x7f]", r"[^\x00-\x1f\x7f\s]"
Line = Annotated[str, Meta(pattern=rf"^{LINE}*\Z")]  # text without control characters
Name = Annotated[Line, Meta(min_length=1, max_length=255)]
Text = Annotated[str, Meta(pattern=r"^[^\x00]*\Z", extra={IN_WORDS: "holds the character U+0000"})]


class Body(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A JSON object: types are not converted, unknown fields are refused."""

    @classmethod
    def read(cls, *, optional: bool = False) -> Self:
        """The body of the current request.

        Raises:
            InvalidRequest: it cannot be read, or breaks a rule.
        """
        return checked(cls, json_object(optional=optional))


class Query(Struct, frozen=True, rename="camel"):
    """Query parameters: text is converted, unknown ones are ignored, an empty one counts as absent."""

    @classmethod
    def read(cls) -> Self:
        """The query of the current request; of a repeated parameter the first counts.

        Raises:
            InvalidRequest: a parameter breaks a rule.
        """
        return checked_texts(cls, query_values())


Shape = TypeVar("Shape", bound=Struct)


def query_values(**path: str) -> dict[str, str]:
    """The query's parameters that are not empty, and those of the path, which win."""
    return {name: value for name, value in request.args.items() if value.strip()} | path


def checked(shape: type[Shape], values: object) -> Shape:
    """The members of a JSON body as this shape.

    Raises:
        InvalidRequest: one detail for each broken rule.
    """
    with _named():
        return read(shape, values)


def checked_texts(shape: type[Shape], values: Mapping[str, object]) -> Shape:
    """The parameters of a query, a path or headers as this shape.

    Raises:
        InvalidRequest: one detail for each broken rule.
    """
    with _named():
        return read_texts(shape, values)


@contextmanager
def _named() -> Iterator[None]:
    """What is unfit is told with the first place in front."""
    try:
        yield
    except Unfit as error:
        details = [detail_of(flaw) for flaw in error.flaws]
        where = ".".join(str(part) for part in details[0].path)
        raise InvalidRequest(f"{where or 'The whole'}: {details[0].message}", details) from error


def detail_of(flaw: Flaw) -> Detail:
    """What is wrong, in Joi's form."""
    return Detail(flaw.detail, flaw.path, JOI_TYPES.get(flaw.kind, "any.invalid"))


def json_object(*, optional: bool = False) -> dict[str, Any]:
    """The body, which must be one JSON object; with `optional`, an absent one is the empty object.

    Raises:
        InvalidRequest: malformed, not UTF-8, too deep, too many values, or a value that PostgreSQL cannot hold.
        RequestEntityTooLarge, UnsupportedMediaType.
    """
    raw = _read()
    if not raw.strip():
        if optional:
            return {}
        raise InvalidRequest.of("The body is empty; it must be a JSON object", kind="object.base")
    if request.headers.get("Content-Encoding", "").strip().lower() not in {"", "identity"}:
        raise UnsupportedMediaType("The body must come as it is, without a Content-Encoding such as gzip")
    if request.mimetype not in {"", "application/json"} and not request.mimetype.endswith("+json"):
        raise UnsupportedMediaType("The body must be application/json")
    value = parse_json(raw)
    if not isinstance(value, dict):
        raise InvalidRequest.of("The body must be a JSON object", kind="object.base")
    return value


def _read() -> bytes:
    try:
        raw = request.get_data(cache=False)
    except (RequestEntityTooLarge, BrokenRequest):
        raise
    except Exception as error:  # gunicorn, for one, has an exception of its own for a broken chunk
        raise InvalidRequest.of("The body is not framed as HTTP says", kind="json.malformed") from error
    if request.content_length is not None and len(raw) < request.content_length:
        raise InvalidRequest.of("The body ended before its Content-Length", kind="json.malformed")
    limit = request.max_content_length
    if limit is not None and request.content_length is None and len(raw) >= limit:
        raise RequestEntityTooLarge  # werkzeug cuts a chunked body off at the limit and says nothing
    return raw


def parse_json(raw: bytes) -> Any:
    """One JSON value that PostgreSQL's jsonb can hold.

    Raises:
        InvalidRequest: see `json_object`.
    """
    try:
        value = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise InvalidRequest.of(
            f"Malformed JSON at line {error.lineno}, column {error.colno}: {error.msg}", kind="json.malformed"
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidRequest.of(f"The body is not UTF-8: byte {error.start}", kind="json.malformed") from error
    except RecursionError as error:
        raise InvalidRequest.of("The body is nested too deeply", kind="json.malformed") from error
    except ValueError as error:  # a number: not finite, or of thousands of digits
        raise InvalidRequest.of("The body holds a number that is not finite or too long", kind="number.unsafe") from error
    if excess := find_excess(value, max_depth=MAX_DEPTH, max_values=MAX_VALUES):
        raise InvalidRequest(f"{excess.pointer or 'The body'} {excess.detail}", [Detail(excess.detail, path_of(excess.pointer))])
    return value


def path_of(pointer: str) -> tuple[str | int, ...]:
    """The path that an RFC 6901 pointer (or `?name` of a query) stands for; a part of digits counts as an index."""
    if pointer.startswith("?"):
        return (pointer[1:],)
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    return tuple(int(part) if part.isdecimal() and len(part) < 10 and index else part for index, part in enumerate(parts))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; readers differ on which of two equal names counts (RFC 8259 §4)."""
    if (twice := find_twice(pairs)) is not None:
        raise InvalidRequest.of(f"The body has the name {twice[:50]!r} twice in one object", kind="object.unknown")
    return dict(pairs)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("not finite")
    return number


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
