"""The gateway's own credentials at its targets: read anew when a target refuses them, in case somebody changed them meanwhile.

Only secrets that stand in files can change while a process runs. One that is still the same is no reason to try again.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import structlog

from config.secrets import SecretUnreadable
from gateway.databases.errors import DatabaseAuthenticationFailed
from gateway.databases.guarding import Stopwatch
from gateway.databases.model import DatabaseName
from gateway.databases.observing import Look
from gateway.targets import database_target

log = structlog.get_logger(__name__)


class Renewable(Protocol):
    """config.secrets.FileSecret."""

    def renew(self) -> bool:
        """Read it again; whether it is another now. Raises SecretUnreadable: it is as it was."""


def nothing_held(_target: str) -> None:
    """Where nobody holds connections that were opened with old credentials."""


class Credentials:
    """Safe for threads."""

    def __init__(self, secrets: Mapping[str, Sequence[Renewable]] | None = None, forget: Callable[[str], None] = nothing_held) -> None:
        """`secrets`: by target. `forget`: closes what was opened with a target's old credentials."""
        self._secrets = secrets or {}
        self._forget = forget
        self._lock = threading.Lock()
        self._versions: Counter[str] = Counter()

    def version(self, target: str) -> int:
        """Grows with every renewal; take it before a call, for `renew`."""
        return self._versions[target]

    def renew(self, target: str, version: int) -> bool:
        """Whether the target's credentials are others now than at `version`: somebody renewed them, or they are found changed."""
        with self._lock:
            renewed = [_renewed(secret, target) for secret in self._secrets.get(target, ())] if self._versions[target] == version else []
            if any(renewed):
                self._versions[target] += 1
                log.warning("credentials_renewed", target=target)
                self._forget(target)
            return self._versions[target] != version


def _renewed(secret: Renewable, target: str) -> bool:
    """Whether it is another now; one that cannot be read stays in use."""
    try:
        return secret.renew()
    except SecretUnreadable as error:
        log.warning("credential_not_renewed", target=target, problem=str(error))
        return False


def renewing(guard: Callable[..., AbstractContextManager[None]], credentials: Credentials) -> Callable[..., AbstractContextManager[None]]:
    """The guard of the house's own calls, which cannot be repeated: one whose credentials are refused has them renewed for the next."""

    @contextmanager
    def guarded(name: DatabaseName, stopwatch: Stopwatch | None = None) -> Iterator[None]:
        target = database_target(name)
        version = credentials.version(target)
        try:
            with guard(name, stopwatch):
                yield
        except DatabaseAuthenticationFailed as error:
            if error.database == name:
                credentials.renew(target, version)
            raise

    return guarded


def renewing_looks(saw: Callable[[DatabaseName, Look], None], credentials: Credentials) -> Callable[[DatabaseName, Look], None]:
    """The same for the poller's looks: a web process that nobody calls has new credentials too."""

    def seen(name: DatabaseName, look: Look) -> None:
        if look.error is not None and look.error.code == DatabaseAuthenticationFailed.code:
            target = database_target(name)
            credentials.renew(target, credentials.version(target))
        saw(name, look)

    return seen
