"""From a model to a response."""

from collections.abc import Mapping

from flask import Response, request
from pydantic import BaseModel

JSON = "application/json"


def answer(body: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response in camelCase."""
    return Response(body.model_dump_json(by_alias=True), status=status, mimetype=JSON, headers=dict(headers or {}))


def conditional(response: Response) -> Response:
    """The response, or 304 when the client has it already by its ETag (RFC 9110 §13.1.2)."""
    response.make_conditional(request)
    return response
