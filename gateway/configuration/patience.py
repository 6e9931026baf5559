"""Who waits for a Configuration Service that hangs: one caller of a process, over all endpoints together. The others read copies.

Nobody can tell a service that hangs from one that is slow before having waited, so one call may take the whole limit. Reads that begin
beside it wait `SHORT_SECONDS` at the most. A call that is given no answer, while no other one was given any, makes the service suspect:
then nobody asks for `COOL_DOWN_SECONDS`, and afterwards one caller at a time, until the first answer of any kind.
"""

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.clock import Clock
from gateway.configuration.errors import ConfigurationUnavailable, CredentialsRefused
from gateway.errors import UpstreamInvalid, UpstreamTimeout

SHORT_SECONDS = 0.5
COOL_DOWN_SECONDS = 2.0


class Patience:
    """Of one process. Safe for threads; the lock is never held during a call."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting = 0
        self._suspect = False
        self._quiet_until = -math.inf
        self._answered_at = -math.inf

    @contextmanager
    def turn(self, limit_seconds: float, *, hurry: bool) -> Iterator[float]:
        """Around a call; gives the seconds that it may take.

        Args:
            hurry: it may be cut short beside another one, because doing it again is harmless.
        Raises:
            ConfigurationUnavailable: the service is suspected to hang, and it is not this caller's turn to find out.
        """
        with self._lock:
            self._refuse_while_suspect()
            seconds = min(limit_seconds, SHORT_SECONDS) if hurry and self._waiting else limit_seconds
            self._waiting += 1
        try:
            with self.watch():
                yield seconds
        finally:
            with self._lock:
                self._waiting -= 1

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Around a call that is made in any case: learns from how it ends."""
        started = self._clock.monotonic()
        try:
            yield
        except (CredentialsRefused, UpstreamInvalid):
            self._answered()
            raise
        except ConfigurationUnavailable as error:
            if error.status:
                self._answered()
            elif isinstance(error.__cause__, UpstreamTimeout):
                self._unanswered(started)
            raise
        else:
            self._answered()

    def _refuse_while_suspect(self) -> None:
        left_seconds = self._quiet_until - self._clock.monotonic()
        if left_seconds > 0 or (self._suspect and self._waiting):
            raise ConfigurationUnavailable(
                "The Configuration Service does not answer", retry_after_seconds=max(left_seconds, 1), sent=False
            )

    def _answered(self) -> None:
        with self._lock:
            self._answered_at, self._quiet_until, self._suspect = self._clock.monotonic(), -math.inf, False

    def _unanswered(self, started: float) -> None:
        with self._lock:
            if self._answered_at <= started:
                self._suspect, self._quiet_until = True, self._clock.monotonic() + COOL_DOWN_SECONDS
