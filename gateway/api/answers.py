"""From a shape to a response."""

import json
from collections.abc import Mapping

import msgspec
from flask import Response, request
from msgspec import Struct

JSON = "application/json"


def answer(body: Struct, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response in camelCase."""
    return Response(render(body), status=status, mimetype=JSON, headers=dict(headers or {}))


def render(body: Struct) -> bytes:
    """JSON in camelCase, UTF-8. Half a surrogate pair, which an old row may hold and no UTF-8 can carry, becomes U+FFFD."""
    try:
        return msgspec.json.encode(body, enc_hook=_plain)
    except UnicodeEncodeError:
        text = json.dumps(msgspec.to_builtins(body, enc_hook=_plain), ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def _plain(value: object) -> object:
    """A value of a type that derives from one of JSON's, such as a driver's own kind of text."""
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def conditional(response: Response) -> Response:
    """The response, or 304 when the client has it already by its ETag (RFC 9110 §13.1.2)."""
    response.make_conditional(request)
    return response
