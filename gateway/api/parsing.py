"""From a request to a model, or to an InvalidInput that names every field."""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from flask import request
from pydantic import BaseModel, ValidationError

from gateway.errors import FieldError, InvalidInput
from gateway.flows.limits import pointer_to
from gateway.flows.wording import in_plain_words
from gateway.security.addresses import is_fit
from gateway.security.bodies import read_json

ModelT = TypeVar("ModelT", bound=BaseModel)
MAX_WAIT_SECONDS = 30
IDEMPOTENCY_KEY = "Idempotency-Key"
IDEMPOTENCY_KEY_PATTERN = re.compile(r"[\x21-\x7e]{1,255}")
WAIT = re.compile(r"wait\s*=\s*(\"?)([0-9]+)\1", re.IGNORECASE)


def parse_body(model: type[ModelT]) -> ModelT:
    """The JSON body as `model`; no body counts as an empty object.

    Raises:
        MalformedInput: it is no JSON.
        InvalidInput: it is, but not this model; every problem has its JSON pointer.
    """
    value = read_json(request)
    return _validate(model, {} if value is None else value, pointer=lambda loc: pointer_to(*loc), what="body")


def parse_query(model: type[ModelT]) -> ModelT:
    """The query parameters as `model`; of a name that comes twice the first counts, an empty value counts as absent.

    Raises:
        InvalidInput: each problem has the pointer `?name`.
    """
    given = {name: value for name, value in request.args.items() if value}
    _refuse_strange_text(given)
    return _validate(model, given, pointer=lambda loc: f"?{loc[0]}" if loc else "?", what="query")


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


def _validate(model: type[ModelT], value: Any, *, pointer: Callable[[tuple[int | str, ...]], str], what: str) -> ModelT:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = [FieldError(pointer(item["loc"]), in_plain_words(item)) for item in error.errors(include_input=False, include_url=False)]
        first = f"{found[0].pointer or 'it'} {found[0].detail}"
        raise InvalidInput(f"The {what} is not valid: {first}", found) from error
