"""From werkzeug's exceptions to ours: what went wrong before any view was reached."""

from flask import request
from werkzeug.exceptions import (
    BadHost,
    HTTPException,
    MethodNotAllowed,
    NotFound,
    RequestEntityTooLarge,
    UnsupportedMediaType,
)

from gateway.api.errors import BodyTooLarge, EndpointNotFound, MediaTypeUnsupported, RequestRefused
from gateway.api.errors import MethodNotAllowed as OurMethodNotAllowed
from gateway.errors import GatewayError
from gateway.security.bodies import is_encoded

ENCODED = "The body must come as it is, without a Content-Encoding such as gzip"


def from_http_exception(error: HTTPException) -> GatewayError:
    """Our error for one that werkzeug raised. Its text is kept out: it was written for HTML pages."""
    if isinstance(error, NotFound):
        return EndpointNotFound(path=request.path, method=request.method)
    if isinstance(error, MethodNotAllowed):
        return OurMethodNotAllowed(error.valid_methods or ())
    if isinstance(error, RequestEntityTooLarge):
        return BodyTooLarge(f"The body is larger than {request.max_content_length} bytes")
    if isinstance(error, UnsupportedMediaType):
        return MediaTypeUnsupported(ENCODED if is_encoded(request) else "The body must be application/json")
    if isinstance(error, BadHost):
        return RequestRefused("The Host header is no name of a host", status=400)
    return RequestRefused(f"The request cannot be served: {error.name}", status=error.code or 400)
