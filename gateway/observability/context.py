"""The request id: carried from the caller through logs, calls, tasks and nodes."""

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import structlog

REQUEST_ID_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,128}")

_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


def accept_request_id(candidate: str | None) -> str:
    """The caller's request id when it is well formed, a new UUID otherwise."""
    if candidate and REQUEST_ID_PATTERN.fullmatch(candidate):
        return candidate
    return str(uuid.uuid4())


def current_request_id() -> str | None:
    """The id of the request, task or node that is being served; None outside of one."""
    return _request_id.get()


@contextmanager
def request_context(request_id: str, **fields: str) -> Iterator[None]:
    """Bind a request id (and log fields) for everything that happens inside."""
    token = _request_id.set(request_id)
    with structlog.contextvars.bound_contextvars(request_id=request_id, **fields):
        try:
            yield
        finally:
            _request_id.reset(token)
