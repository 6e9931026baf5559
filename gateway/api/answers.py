"""From a model to a response."""

import json
from collections.abc import Mapping

from flask import Response, request
from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_jsonable_python

JSON = "application/json"


def answer(body: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response in camelCase."""
    return Response(render(body), status=status, mimetype=JSON, headers=dict(headers or {}))


def render(body: BaseModel) -> str:
    """JSON in camelCase. Half a surrogate pair, which an old row may hold and no UTF-8 can carry, becomes U+FFFD."""
    try:
        return body.model_dump_json(by_alias=True)
    except PydanticSerializationError:
        text = json.dumps(body.model_dump(by_alias=True), default=to_jsonable_python, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def conditional(response: Response) -> Response:
    """The response, or 304 when the client has it already by its ETag (RFC 9110 §13.1.2)."""
    response.make_conditional(request)
    return response
