"""What the code under test says, without what a thread of another test still has to say."""

import threading
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog
from structlog.testing import capture_logs


@contextmanager
def own_logs() -> Iterator[list[MutableMapping[str, Any]]]:
    """The events that this thread logs meanwhile, in order."""
    here = threading.get_ident()

    def only_ours(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if threading.get_ident() != here:
            raise structlog.DropEvent
        return event

    with capture_logs(processors=[only_ours]) as logs:
        yield logs
