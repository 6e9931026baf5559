"""The gateway's own entry in the service registry: made at start, renewed in time, given up at the end."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from config.groups import ConfigurationSettings
from gateway.background import BackgroundLoop
from gateway.configuration.client import ConfigurationServiceClient
from gateway.configuration.errors import ConfigurationUnavailable, NotOffered
from gateway.errors import UpstreamInvalid
from gateway.version import VERSION

log = structlog.get_logger(__name__)

RETRY_SECONDS = 1.0  # with a call's own limit of 2 s: back within 5 s of the service's return
NOT_OFFERED_SECONDS = 60.0
LEAVE_SECONDS = 1.0


@dataclass(frozen=True)
class RegistrationState:
    """`registered`: a lease is held, as far as is known. `problem`: why not, for people to read."""

    registered: bool = False
    service_id: str | None = None
    expires_at: str | None = None
    problem: str | None = None


class Registration:
    """Registers this gateway and keeps it registered, in the background.

    Every process of one gateway registers the same name, host and port, which the service takes as a renewal of one lease: the entry
    lives as long as any of them. `leave` is for the end of the whole gateway, not of one process among several.
    """

    def __init__(
        self, client: ConfigurationServiceClient, settings: ConfigurationSettings, *, port: int, depends_on: Sequence[str] = ()
    ) -> None:
        """`port`: where the gateway listens. `depends_on`: names of what it needs, for the service graph."""
        self._client = client
        self._settings = settings
        self._body = self._describe(port, depends_on)
        self._lock = threading.Lock()
        self._state = RegistrationState(problem="not tried yet")
        self._loop = BackgroundLoop("registration", self.step, retry_seconds=RETRY_SECONDS)

    def start(self) -> None:
        """Register soon, without waiting for it."""
        self._loop.start()

    def stop(self) -> None:
        """Stop renewing; the lease stays, for the other processes of this gateway or for the one that replaces this one."""
        self._loop.stop(LEAVE_SECONDS)

    def snapshot(self) -> RegistrationState:
        """What is known now; no I/O."""
        with self._lock:
            return self._state

    def leave(self) -> None:
        """Stop renewing and give the lease up, within about a second whatever the service does."""
        self._loop.stop(LEAVE_SECONDS)
        service_id = self.snapshot().service_id
        if service_id is None:
            return
        self._set(RegistrationState(problem="left"))
        try:
            self._client.leave_service(service_id, timeout_seconds=LEAVE_SECONDS)
        except (ConfigurationUnavailable, UpstreamInvalid) as error:
            log.warning("registration_not_given_up", code=error.code)
        else:
            log.info("registration_given_up")

    def step(self) -> float:
        """Renew, or register; returns the seconds until the next time."""
        try:
            return self._renew_or_register()
        except NotOffered as error:
            self._set(RegistrationState(problem=error.detail))
            return NOT_OFFERED_SECONDS
        except (ConfigurationUnavailable, UpstreamInvalid) as error:
            before = self.snapshot()
            if before.problem is None:
                log.warning("registration_failed", code=error.code)
            # The lease may well have run out by now: it counts again once the service says so.
            self._set(RegistrationState(service_id=before.service_id, problem=error.detail))
            return RETRY_SECONDS

    def _renew_or_register(self) -> float:
        before = self.snapshot()
        if before.service_id and self._client.renew_service(before.service_id):
            self._set(RegistrationState(registered=True, service_id=before.service_id))
            return self._settings.registration_ttl_seconds / 3
        lease = self._client.register_service(self._body)
        self._set(RegistrationState(registered=True, service_id=str(lease["id"]), expires_at=lease.get("expiresAt")))
        log.info("registered", name=self._settings.service_name)
        return self._renewal_seconds(lease)

    def _renewal_seconds(self, lease: dict[str, Any]) -> float:
        """A third of the lease that was granted, which may be shorter than the one asked for."""
        granted = lease.get("ttlSeconds")
        asked = self._settings.registration_ttl_seconds
        return (min(granted, asked) if isinstance(granted, int | float) and granted > 0 else asked) / 3

    def _set(self, state: RegistrationState) -> None:
        with self._lock:
            self._state = state

    def _describe(self, port: int, depends_on: Sequence[str]) -> dict[str, Any]:
        """No capabilities: those are the node types that a service runs for others, and the gateway runs its own."""
        return {
            "name": self._settings.service_name,
            "version": VERSION,
            "host": self._settings.service_host,
            "port": port,
            "protocol": "http",
            "healthEndpoint": "/health",
            "capabilities": [],
            "metadata": {"dependsOn": list(depends_on)},
            "ttlSeconds": self._settings.registration_ttl_seconds,
        }
