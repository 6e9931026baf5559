"""What a registry says is wrong with a document, as our field errors.

`details` come in two shapes: Joi's `[{message, path[], type}]` at the platform, `[{pointer, detail}]` from services like our own.
"""

from typing import Any

from gateway.errors import FieldError, UpstreamInvalid
from gateway.flows.limits import pointer_to
from gateway.outbound.answer import Answer

MAX_ERRORS = 100
MAX_TEXT = 500


def field_errors(answer: Answer) -> list[FieldError]:
    """Each finding with its JSON pointer; nothing when the answer names none."""
    details = _body(answer).get("details")
    if isinstance(details, dict):
        details = details.get("errors")
    if not isinstance(details, list):
        return []
    found = [_field_error(item) for item in details[:MAX_ERRORS] if isinstance(item, dict)]
    return [error for error in found if error.detail]


def message_of(answer: Answer) -> str:
    """The registry's own sentence, cut to a bearable length."""
    text = _body(answer).get("message")
    return text[:MAX_TEXT] if isinstance(text, str) and text else f"it answered {answer.status}"


def _body(answer: Answer) -> dict[str, Any]:
    try:
        body = answer.json()
    except UpstreamInvalid:
        return {}
    return body if isinstance(body, dict) else {}


def _field_error(item: dict[str, Any]) -> FieldError:
    path = item.get("path")
    pointer = pointer_to(*path) if isinstance(path, list) else str(item.get("pointer", ""))
    return FieldError(pointer, str(item.get("detail") or item.get("message") or "")[:MAX_TEXT])
