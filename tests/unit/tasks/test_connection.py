"""A lost broker is asked for often, however long it has been away."""

import socket

import pytest

from tasks.app import app
from tasks.connection import RETRY_SECONDS, PromptConnection


class _EnoughError(Exception):
    pass


def test_worker_and_beat_connect_promptly() -> None:
    assert isinstance(app.connection_for_read("redis://127.0.0.1:1/0"), PromptConnection)
    assert isinstance(app.connection_for_write("redis://127.0.0.1:1/0").clone(), PromptConnection)


def test_the_wait_between_two_tries_does_not_grow() -> None:
    with socket.socket() as refusing:
        refusing.bind(("127.0.0.1", 0))
        connection = app.connection_for_read(f"redis://127.0.0.1:{refusing.getsockname()[1]}/0")
        waits: list[float] = []

        def failed(_error: Exception, wait_seconds: float) -> None:
            waits.append(wait_seconds)

        def asked() -> None:  # kombu calls it before every second that it waits
            if len(waits) >= 2:
                raise _EnoughError

        with pytest.raises(_EnoughError):
            connection.ensure_connection(failed, None, callback=asked)
    assert waits == [RETRY_SECONDS, RETRY_SECONDS]
