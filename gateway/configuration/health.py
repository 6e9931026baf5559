"""What `/health` shows of the Configuration Service: asked in the background, read without I/O."""

import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from config.groups import ConfigurationSettings
from gateway.background import BackgroundLoop
from gateway.clock import Clock
from gateway.configuration.client import ConfigurationServiceClient
from gateway.configuration.errors import ConfigurationUnavailable
from gateway.configuration.offers import Offers
from gateway.configuration.registration import Registration
from gateway.errors import UpstreamInvalid

INTERVAL_SECONDS = 5.0
DOWN_INTERVAL_SECONDS = 1.0
SLOW_MS = 500.0


@dataclass(frozen=True)
class Probe:
    """The newest finding. `status`: healthy, degraded or unhealthy."""

    status: str = "unhealthy"
    latency_ms: float | None = None
    last_ok_at: datetime | None = None
    error: str | None = "not asked yet"
    version: str | None = None


@dataclass
class Waiting:
    """How many flows wait for their upload or are hindered, by state; kept by the upkeep."""

    flows: dict[str, int] = field(default_factory=dict)


class ConfigurationHealth:
    """Probes the service; while it is down the probe also spares every request the try whether it is back."""

    def __init__(
        self,
        client: ConfigurationServiceClient,
        offers: Offers,
        settings: ConfigurationSettings,
        clock: Clock,
        *,
        registration: Registration | None = None,
        waiting: Waiting | None = None,
    ) -> None:
        """`registration`: of a process that registers; None where nothing does (a worker)."""
        self._client = client
        self._offers = offers
        self._settings = settings
        self._clock = clock
        self._registration = registration
        self._waiting = waiting or Waiting()
        self._lock = threading.Lock()
        self._probe = Probe()
        self._loop = BackgroundLoop("configuration-health", self.step, retry_seconds=DOWN_INTERVAL_SECONDS)

    def start(self) -> None:
        """Begin to probe in the background."""
        self._loop.start()

    def stop(self) -> None:
        """End it."""
        self._loop.stop()

    def snapshot(self) -> dict[str, Any]:
        """The finding as JSON; of the service's address only scheme and host."""
        with self._lock:
            probe = self._probe
        return {
            "status": probe.status,
            "url": _host_only(self._settings.url),
            "latencyMs": probe.latency_ms,
            "lastOkAt": probe.last_ok_at.isoformat().replace("+00:00", "Z") if probe.last_ok_at else None,
            "version": probe.version,
            "registered": self._registration.snapshot().registered if self._registration else None,
            "notOffered": self._offers.list_missing(),
            "waitingFlows": dict(self._waiting.flows),
            "error": probe.error,
        }

    def step(self) -> float:
        """Ask once; returns the seconds until the next time."""
        started = self._clock.monotonic()
        try:
            body = self._client.check_health()
        except (ConfigurationUnavailable, UpstreamInvalid) as error:
            with self._lock:
                self._probe = Probe(last_ok_at=self._probe.last_ok_at, error=error.code, version=self._probe.version)
            return DOWN_INTERVAL_SECONDS
        latency_ms = round((self._clock.monotonic() - started) * 1000, 1)
        status = "healthy" if body.get("status") in {"healthy", "ok"} and latency_ms <= SLOW_MS else "degraded"
        version = body.get("version")
        with self._lock:
            self._probe = Probe(status, latency_ms, self._clock.now(), None, str(version) if version else None)
        return INTERVAL_SECONDS


def _host_only(url: str) -> str:
    """Without credentials and path."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")
