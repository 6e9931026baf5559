"""From a request to a shape, or to an InvalidInput that names every field."""

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from flask import request
from msgspec import Struct

from gateway.errors import FieldError, InvalidInput
from gateway.flows.limits import pointer_to
from gateway.security.addresses import is_fit
from gateway.security.bodies import read_json
from gateway.shapes.flaws import Path
from gateway.shapes.reading import Unfit, read, read_texts

Shape = TypeVar("Shape", bound=Struct)
MAX_WAIT_SECONDS = 30
IDEMPOTENCY_KEY = "Idempotency-Key"
IDEMPOTENCY_KEY_PATTERN = re.compile(r"[\x21-\x7e]{1,255}")
WAIT = re.compile(r"wait\s*=\s*(\"?)([0-9]+)\1", re.IGNORECASE)


def parse_body(shape: type[Shape]) -> Shape:
    """The JSON body as `shape`; no body counts as an empty object.

    Raises:
        MalformedInput: it is no JSON.
        InvalidInput: it is, but not of this shape; every problem has its JSON pointer.
    """
    value = read_json(request)
    try:
        return read(shape, {} if value is None else value)
    except Unfit as error:
        raise _invalid("body", error, lambda path: pointer_to(*path)) from error


def parse_query(shape: type[Shape]) -> Shape:
    """The query parameters as `shape`; of a name that comes twice the first counts, an empty value counts as absent.

    Raises:
        InvalidInput: each problem has the pointer `?name`.
    """
    given = {name: value for name, value in request.args.items() if value}
    _refuse_strange_text(given)
    try:
        return read_texts(shape, given)
    except Unfit as error:
        raise _invalid("query", error, lambda path: f"?{path[0]}") from error


def refuse_together(*names: str) -> None:
    """Query parameters that say the same in different ways.

    Raises:
        InvalidInput: more than one of them is given.
    """
    first, *others = [name for name in names if request.args.get(name)] or [""]
    if others:
        problem = FieldError(f"?{others[0]}", f"cannot stand beside {first}")
        raise InvalidInput(f"The query is not valid: {problem.pointer} {problem.detail}", [problem])


def preferred_wait_seconds() -> int | None:
    """N of `Prefer: wait=N` or `wait="N"` (RFC 7240 §4.3); a larger one counts as 30. None without one.

    A preference that cannot be read is ignored, as the RFC asks.
    """
    for preference in ",".join(request.headers.getlist("Prefer")).split(","):
        match = WAIT.fullmatch(preference.split(";")[0].strip())
        if match:
            digits = match.group(2).lstrip("0")[:3] or "0"  # of a longer number, enough to know that it is too large
            return min(int(digits), MAX_WAIT_SECONDS)
    return None


def find_idempotency_key() -> str | None:
    """The `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header), with or without a structured string's quotes; None without one.

    Raises:
        InvalidInput: it is empty, longer than 255 characters or not printable ASCII.
    """
    given = request.headers.get(IDEMPOTENCY_KEY)
    if given is None:
        return None
    key = given.strip()
    key = key[1:-1] if len(key) > 1 and key.startswith('"') and key.endswith('"') else key
    if not IDEMPOTENCY_KEY_PATTERN.fullmatch(key):
        raise InvalidInput(f"{IDEMPOTENCY_KEY} must be 1 to 255 printable ASCII characters without spaces")
    return key


def _refuse_strange_text(given: Mapping[str, str]) -> None:
    strange = [
        FieldError(f"?{name}", "holds a control character, is not UTF-8, or is too long")
        for name, value in given.items()
        if not is_fit(value)
    ]
    if strange:
        raise InvalidInput(f"The query parameter {strange[0].pointer} {strange[0].detail}", strange)


def _invalid(what: str, error: Unfit, pointer: Callable[[Path], str]) -> InvalidInput:
    found = [FieldError(pointer(flaw.path), flaw.detail) for flaw in error.flaws]
    return InvalidInput(f"The {what} is not valid: {found[0].pointer or 'it'} {found[0].detail}", found)
