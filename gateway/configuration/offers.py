"""Which endpoints this Configuration Service turned out not to have.

The platform's own service lacks many (contracts/configuration-service.md, †). What is missing is logged once, shown in `/health`, and
asked again after a while, because a service can be replaced by a newer one.
"""

import threading
from enum import StrEnum

import structlog

from gateway.clock import Clock

log = structlog.get_logger(__name__)

ASK_AGAIN_SECONDS = 60.0


class Endpoint(StrEnum):
    """The endpoints that this room calls, as the contract writes them."""

    HEALTH = "GET /health"
    CONFIG = "GET /api/v1/config"
    PLATFORM_CONFIG = "GET /api/config/{key}"
    REGISTER = "POST /api/v1/services/register"
    HEARTBEAT = "PUT /api/v1/services/{id}/heartbeat"
    LEAVE = "DELETE /api/v1/services/{id}"
    SERVICES = "GET /api/v1/services"
    DISCOVER = "GET /api/v1/services/discover/{name}"
    REGISTER_FLOW = "POST /api/v1/flows"
    FLOWS = "GET /api/v1/flows"
    FLOW = "GET /api/v1/flows/{id}"
    REPLACE_FLOW = "PUT /api/v1/flows/{id}"
    EXECUTE = "POST /api/v1/flows/{id}/execute"
    EXECUTION_STATUS = "PUT /api/v1/executions/{executionId}/status"
    PLATFORM_EXECUTION_STATUS = "PUT /api/v1/flows/executions/{executionId}/status"


class Offers:
    """What is known of each endpoint: offered, missing, or nothing yet. Safe for threads."""

    def __init__(self, clock: Clock, *, ask_again_seconds: float = ASK_AGAIN_SECONDS) -> None:
        self._clock = clock
        self._ask_again_seconds = ask_again_seconds
        self._lock = threading.Lock()
        self._missing_since: dict[Endpoint, float] = {}
        self._offered: set[Endpoint] = set()

    def found(self, endpoint: Endpoint) -> None:
        """The endpoint did its work."""
        with self._lock:
            self._offered.add(endpoint)
            self._missing_since.pop(endpoint, None)

    def missed(self, endpoint: Endpoint) -> None:
        """The service has no such endpoint."""
        with self._lock:
            first = endpoint not in self._missing_since
            self._missing_since[endpoint] = self._clock.monotonic()
            self._offered.discard(endpoint)
        if first:
            log.warning("endpoint_not_offered", endpoint=str(endpoint))

    def is_missing(self, endpoint: Endpoint) -> bool:
        """Known to be missing, and not long enough ago to ask again."""
        with self._lock:
            since = self._missing_since.get(endpoint)
        return since is not None and self._clock.monotonic() - since < self._ask_again_seconds

    def is_offered(self, endpoint: Endpoint) -> bool:
        """It has worked, and never been missing since."""
        with self._lock:
            return endpoint in self._offered

    def list_missing(self) -> list[str]:
        """Every endpoint last seen missing, for people to read."""
        with self._lock:
            return sorted(str(endpoint) for endpoint in self._missing_since)
