"""The scope of one request: what all its calls to a database share, such as how long they wait in all for one that hangs."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class OnePatience:
    """WSGI around the application: each request runs inside `scope()`."""

    def __init__(self, application: "WSGIApplication", scope: Callable[[], AbstractContextManager[None]]) -> None:
        self._application = application
        self._scope = scope

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        with self._scope():
            return self._application(environ, start_response)
