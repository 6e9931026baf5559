"""A deadline for drivers that know none: when it passes, whatever is cut makes the driver's blocked call fail."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class Cut:
    """Whether the deadline passed."""

    def __init__(self) -> None:
        self.fired = False


@contextmanager
def cut_off_after(seconds: float, cut: Callable[[], None]) -> Iterator[Cut]:
    """Call `cut` from another thread when the block is not over after `seconds`.

    A socket's timeout bounds one wait; a server that drips bytes can make waits without end. This bounds all of them together.
    `cut` must only shut the connection down: the block's own thread sees that as an error and cleans up.
    """
    state = Cut()

    def fire() -> None:
        state.fired = True
        cut()

    timer = threading.Timer(seconds, fire)
    timer.daemon = True
    timer.start()
    try:
        yield state
    finally:
        timer.cancel()


def shut_down(connection: socket.socket | None) -> None:
    """Make whoever is blocked on this connection, of another thread too, fail. Where there is none (yet), nothing."""
    if connection is not None:
        with suppress(OSError):  # closed meanwhile: what was wanted
            connection.shutdown(socket.SHUT_RDWR)
