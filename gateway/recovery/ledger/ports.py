"""What recovering needs from other rooms, as protocols; the container passes the real ones, tests pass fakes."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from gateway.configuration.model import FlowFilters, FlowPage, Known, Service
from gateway.databases.ports import Database
from gateway.executions.model import ExecutionView, Started
from gateway.flows.model import FlowDefinition
from gateway.outbound.answer import Answer
from gateway.recovery.ledger.model import Claim, Ended, Tried


class Strategy(Protocol):
    """One thing that a worker does about a fault. Bounded in time, and harmless when done twice."""

    def __call__(self, claim: Claim) -> Tried:
        """Try once. What the target does wrong is an answer, not an error."""


class DatabaseSource(Protocol):
    """gateway.databases' Databases."""

    def get(self, name: str) -> Database:
        """The configured database of this name.

        Raises:
            DatabaseNotFound, DatabaseDisabled.
        """


class Discovery(Protocol):
    """gateway.configuration's Services."""

    def ping(self) -> None:
        """Ask the registry itself how it is.

        Raises:
            Unavailable, UpstreamInvalid: it does not serve.
        """

    def rediscover(self, name: str) -> Service:
        """The service as the registry knows it now, never from a copy.

        Raises:
            ServiceNotFound: nobody is alive. Unavailable, UpstreamInvalid: the registry cannot be asked.
        """

    def rediscover_capable(self, capability: str) -> Service:
        """A living service that holds the capability, as the registry knows it now.

        Raises:
            ServiceNotFound: nobody alive holds it. Unavailable, UpstreamInvalid: the registry cannot be asked.
        """


class FlowList(Protocol):
    """gateway.configuration's Flows."""

    def list_flows(self, filters: FlowFilters, page: int, limit: int) -> Known[FlowPage]: ...

    def get_flow(self, flow_id: str) -> Known[FlowDefinition]: ...


class FlowRuns(Protocol):
    """gateway.executions' Executions."""

    def start(
        self,
        flow_id: str,
        parameters: Mapping[str, Any],
        *,
        triggered_by: str,
        execution_context: Mapping[str, Any],
        idempotency_key: str | None = None,
        caller: str = ...,
    ) -> Started: ...

    def get(self, execution_id: str) -> ExecutionView: ...


class Http(Protocol):
    """The one HTTP client."""

    def request(self, method: str, url: str, *, timeout_seconds: float, max_bytes: int = ...) -> Answer: ...


OnEnded = Callable[[Ended], object]
"""Told once of each recovery that ended, after it was written. Must not raise and must not wait."""
