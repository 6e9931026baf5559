"""A WSGI application with the container that config/gunicorn.conf.py talks to; what the container hears goes to a file."""

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any


class NotingContainer:
    """Notes each call as a line `<pid> <call>`."""

    def __init__(self) -> None:
        self.is_draining = False

    def start(self) -> None:
        self.note("start")

    def settle(self, timeout_seconds: float) -> None:
        self.note("settle")

    def stop(self) -> None:
        self.note("stop")

    def begin_drain(self, *, leaving: bool) -> None:
        self.is_draining = True
        self.note(f"drain leaving={leaving}")

    def note(self, call: str) -> None:
        """That this happened."""
        with Path(os.environ["DRAIN_NOTES"]).open("a") as notes:
            notes.write(f"{os.getpid()} {call}\n")


class DrainingApp:
    """Answers its worker's pid, or `draining` with 503 at /readyz once told to; /slow takes half a second."""

    def __init__(self) -> None:
        self.container = NotingContainer()
        self.extensions = {"container": self.container}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/slow":
            self.container.note("slow")
            time.sleep(0.5)
        unready = environ["PATH_INFO"] == "/readyz" and self.container.is_draining
        body = b"draining" if unready else str(os.getpid()).encode()
        start_response("503 Service Unavailable" if unready else "200 OK", [("Content-Length", str(len(body)))])
        return [body]


app = DrainingApp()
