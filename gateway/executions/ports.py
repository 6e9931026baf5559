"""What running a flow needs from other rooms, as protocols; the container passes the real ones, tests pass fakes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from gateway.configuration.model import Instance, Known, Service
from gateway.flows.model import FlowDefinition
from gateway.outbound.answer import Answer
from gateway.recovery.model import Fault, FlowOrigin

T = TypeVar("T")


class FlowSource(Protocol):
    """Where definitions come from."""

    def get_flow(self, flow_id: str) -> Known[FlowDefinition]:
        """The definition.

        Raises:
            NotFound: no flow has this id.
            Unavailable: the registry is down and no copy is known.
        """


class ServiceSource(Protocol):
    """Who serves what."""

    def discover(self, name: str) -> Known[Service]:
        """The service of this name.

        Raises:
            NotFound: nobody of this name is alive.
            Unavailable: the registry is down and no copy is known.
        """

    def find_capable(self, capability: str) -> Service | None:
        """A healthy service that registered this capability, or None."""

    def choose_instance(self, service: Service) -> Instance:
        """One healthy instance."""

    def rediscover(self, name: str) -> Service:
        """The service as the registry knows it now, never from a copy.

        Raises:
            NotFound, Unavailable.
        """


class Http(Protocol):
    """The one HTTP client."""

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        body: bytes | None = None,
        timeout_seconds: float,
        max_bytes: int = ...,
    ) -> Answer:
        """One call under one deadline.

        Raises:
            UpstreamUnreachable, UpstreamTimeout, UpstreamInvalid, InvalidInput.
        """


class Recovery(Protocol):
    """The one layer that repeats calls, and that does not make them while their target is given up."""

    def run(
        self, target: str, attempt: Callable[[float], T], *, timeout_seconds: float, repeatable: bool, find_other: Callable[[bool], bool]
    ) -> T:
        """What an attempt returns, which is given the seconds that are left.

        Args:
            find_other: has the next attempt go to another instance; False when there is none that was not tried. Told whether the call
                reached no instance so far.

        Raises:
            BreakerOpen: it was not tried. Or whatever the last attempt raised.
        """


class Once:
    """A Recovery where none is wired: one attempt."""

    def run(
        self,
        target: str,  # noqa: ARG002
        attempt: Callable[[float], T],
        *,
        timeout_seconds: float,
        repeatable: bool,  # noqa: ARG002
        find_other: Callable[[bool], bool],  # noqa: ARG002
    ) -> T:
        """Implements Recovery."""
        return attempt(timeout_seconds)


@dataclass(frozen=True)
class StartReport:
    """What the registry is told when an execution starts. `execution_id` is ours; the registry answers its own.

    `key`: under the same one the registry makes the same record.
    """

    execution_id: str
    key: str
    parameters: Mapping[str, Any]
    triggered_by: str
    execution_context: Mapping[str, Any]
    started_at: datetime


@dataclass(frozen=True)
class StatusReport:
    """What the registry is told when an execution's status changed: running (again), paused, completed, failed or cancelled."""

    execution_id: str
    status: str
    result: Any = None
    error_message: str | None = None


class RegistryReports(Protocol):
    """The Flow Registry's record of executions."""

    def report_started(self, flow_id: str, report: StartReport) -> str | None:
        """Record the start; returns the registry's own execution id, None when it keeps no record of this run
        (it refuses flows that are not active, or offers no such endpoint).

        Raises:
            Unavailable, UpstreamTimeout, UpstreamInvalid: try again later.
        """

    def report_status(self, registry_execution_id: str, report: StatusReport) -> None:
        """Record the status. Idempotent.

        Raises:
            Unavailable, UpstreamTimeout, UpstreamInvalid: try again later.
            GatewayError: any other: it will never take it.
        """


class Classify(Protocol):
    """`classify` of gateway.recovery.patterns.service.Patterns, or the one of gateway.recovery.classify."""

    def __call__(self, error: BaseException, *, origin: FlowOrigin | None = None) -> Fault: ...


OnFault = Callable[[Fault, str], object]
"""Told of each node that failed for good, after its own error policy had its say, and who triggered its execution.
Memory only: it must not raise and must not wait."""
