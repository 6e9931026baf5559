"""Reading a JSON body that somebody may have made to hurt: bounded, strict, and never a surprise further in."""

import json
import math
from collections.abc import Sequence
from typing import Any, NoReturn

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from config.broken_request import BrokenRequest
from gateway.errors import FieldError, MalformedInput
from gateway.flows.limits import find_excess, find_twice

MAX_DEPTH = 40  # a flow definition (32) fits, wrapped in a body of ours
MAX_VALUES = 500_000


def read_json(request: Request) -> object:
    """The body as a JSON value; None when there is no body.

    Raises:
        RequestEntityTooLarge: the body is larger than MAX_BODY_BYTES, announced or not.
        UnsupportedMediaType: the body says that it is something else, or compressed.
        MalformedInput: it is no JSON (RFC 8259), not UTF-8, or deeper, longer or stranger than JSON between programs is (RFC 7493).
    """
    body = _read(request)
    if not body.strip():
        return None
    if is_encoded(request):
        raise UnsupportedMediaType("The body must not be compressed")
    if not request.is_json:
        raise UnsupportedMediaType("The body must be application/json")
    value = _parse(body)
    if not _is_plain(value):
        excess = find_excess(value, max_depth=MAX_DEPTH, max_values=MAX_VALUES) or FieldError("", "is not plain JSON")
        raise MalformedInput(f"The body {excess.detail}", [excess])
    return value


def is_encoded(request: Request) -> bool:
    """Whether the body says that it is compressed, or coded otherwise (RFC 9110 §8.4)."""
    return request.headers.get("Content-Encoding", "").strip().lower() not in {"", "identity"}


def _read(request: Request) -> bytes:
    try:
        body = request.get_data(cache=False)
    except (RequestEntityTooLarge, BrokenRequest):
        raise
    except Exception as error:  # gunicorn, for one, has an exception of its own for a broken chunk
        raise _malformed("The body is not framed as HTTP says") from error
    if request.content_length is not None and len(body) < request.content_length:
        raise _malformed("The body ended before its Content-Length")
    limit = request.max_content_length
    if limit is not None and request.content_length is None and len(body) >= limit:
        raise RequestEntityTooLarge  # werkzeug cuts a chunked body off at the limit and says nothing
    return body


def _parse(body: bytes) -> object:
    try:
        return json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant, object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise _malformed(f"The body is not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise _malformed(f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise _malformed(f"The body is nested deeper than {MAX_DEPTH} levels") from error
    except ValueError as error:  # Python refuses integers of more than 4300 digits
        raise _malformed("The body holds a number that is too long") from error


def _is_plain(value: object) -> bool:
    """Whether nothing in it is too deep, too much or unfit for PostgreSQL: the quick look, level by level, that keeps no pointers."""
    level: list[object] = [value]
    seen = 0
    for _ in range(MAX_DEPTH + 1):
        seen += len(level)
        texts = [item for item in level if type(item) is str]
        objects = [item for item in level if type(item) is dict]
        texts += [name for item in objects for name in item]
        numbers = [item for item in level if type(item) is float]
        if seen > MAX_VALUES or not all(map(_is_fit, texts)) or not all(map(math.isfinite, numbers)):
            return False
        lists = [item for item in level if type(item) is list]
        level = [child for item in objects for child in item.values()] + [child for item in lists for child in item]
        if not level:
            return True
    return False


def _is_fit(text: str) -> bool:
    return "\x00" not in text and (text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text))


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; a name that comes twice is refused, because readers differ on which one counts."""
    if (twice := find_twice(pairs)) is not None:
        raise _malformed(f"The body has the name {twice[:50]!r} twice in one object")
    return dict(pairs)


def _refuse_constant(name: str) -> NoReturn:
    raise _malformed(f"The body is not JSON: {name} is no JSON number")


def _malformed(detail: str) -> MalformedInput:
    return MalformedInput(detail, [FieldError("", detail.removeprefix("The body "))])
