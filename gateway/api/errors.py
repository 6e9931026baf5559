"""What is wrong with a request before any view sees it. Werkzeug's exceptions become these, so that one table knows every status."""

from collections.abc import Iterable

from gateway.errors import InvalidInput, NotFound, Unavailable


class EndpointNotFound(NotFound):
    """No endpoint has this path."""

    code = "ENDPOINT_NOT_FOUND"

    def __init__(self, *, path: str, method: str) -> None:
        super().__init__("Endpoint not found")
        self.path = path
        self.method = method


class MethodNotAllowed(InvalidInput):
    """The endpoint does not know the request's method; `allowed` are those it knows."""

    code = "METHOD_NOT_ALLOWED"

    def __init__(self, allowed: Iterable[str]) -> None:
        self.allowed = tuple(sorted(allowed))
        super().__init__(f"This method is not allowed here; {', '.join(self.allowed)} are")


class BodyTooLarge(InvalidInput):
    """The body has more bytes than MAX_BODY_BYTES."""

    code = "BODY_TOO_LARGE"


class MediaTypeUnsupported(InvalidInput):
    """The body is not application/json."""

    code = "UNSUPPORTED_MEDIA_TYPE"


class RequestRefused(InvalidInput):
    """The request breaks HTTP itself, in a way that none of the others names."""

    code = "BAD_REQUEST"

    def __init__(self, detail: str, *, status: int) -> None:
        super().__init__(detail)
        self.status = status


class NotReady(Unavailable):
    """The gateway itself should get no traffic now: it is draining, or a critical dependency is down."""

    code = "NOT_READY"
