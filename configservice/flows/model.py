"""Values of the registry. No I/O; the definition language itself is `gateway.flows`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from gateway.flows.model import FlowStatus


@dataclass(frozen=True)
class StoredFlow:
    """A registered definition. `document` is what was registered, in its wire form, without `status`."""

    id: str
    name: str
    version: str
    type: str
    status: FlowStatus
    document: dict[str, Any]
    created_at: datetime
    updated_at: datetime


class ExecutionStatus(StrEnum):
    """Where a recorded execution stands, as whoever runs it reports."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = frozenset({ExecutionStatus.COMPLETED, ExecutionStatus.FAILED, ExecutionStatus.CANCELLED})

# From where a status may be reported. Reporting the same one again is harmless; a failed execution may be retried; a late report of
# "running" never reopens one that completed or was cancelled.
LEGAL_BEFORE: Mapping[ExecutionStatus, frozenset[ExecutionStatus]] = {
    ExecutionStatus.PENDING: frozenset({ExecutionStatus.PENDING}),
    ExecutionStatus.RUNNING: frozenset(set(ExecutionStatus) - {ExecutionStatus.COMPLETED, ExecutionStatus.CANCELLED}),
    ExecutionStatus.PAUSED: frozenset({ExecutionStatus.PENDING, ExecutionStatus.RUNNING, ExecutionStatus.PAUSED}),
    ExecutionStatus.COMPLETED: frozenset(set(ExecutionStatus) - {ExecutionStatus.CANCELLED}),
    ExecutionStatus.FAILED: frozenset(set(ExecutionStatus) - {ExecutionStatus.COMPLETED, ExecutionStatus.CANCELLED}),
    ExecutionStatus.CANCELLED: frozenset(set(ExecutionStatus) - {ExecutionStatus.COMPLETED}),
}


@dataclass(frozen=True)
class Execution:
    """One recorded run of a flow."""

    id: str
    flow_id: str
    status: ExecutionStatus
    parameters: dict[str, Any]
    triggered_by: str
    execution_context: dict[str, Any]
    result: Any
    error_message: str | None
    started_at: datetime
    completed_at: datetime | None

    @property
    def duration_ms(self) -> int | None:
        """From start to end; None while it runs."""
        return None if self.completed_at is None else round((self.completed_at - self.started_at).total_seconds() * 1000)


@dataclass(frozen=True)
class Neighbour:
    """One edge of the dependency graph and what is known of the flow at its other end. None where that flow is not registered (yet)."""

    flow_id: str
    other_id: str
    name: str | None
    type: str | None
    status: str | None
    dependency_type: str
    condition: str | None
    timeout_ms: int | None


@dataclass(frozen=True)
class DependencyGraph:
    """A flow, the edges reachable from it by the flow they leave, and the flows that depend on it directly."""

    flow: StoredFlow
    dependencies: Mapping[str, tuple[Neighbour, ...]]
    dependents: tuple[Neighbour, ...]


@dataclass(frozen=True)
class ExecutionCounts:
    """How executions ended. `average_seconds` over the completed ones, None when there is none."""

    total: int
    successful: int
    failed: int
    running: int
    average_seconds: float | None

    @property
    def success_rate(self) -> float:
        """Percent of all executions that completed, 0 to 100; 0 when there is none."""
        return round(100 * self.successful / self.total, 2) if self.total else 0.0
