"""Executions, their nodes and attempts as frozen values, and the one table of legal changes of state. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

JsonObject = Mapping[str, Any]

MAX_NODE_OUTPUT_BYTES = 1024 * 1024
MAX_EXECUTION_OUTPUT_BYTES = 16 * 1024 * 1024  # of all nodes together: what one GET has to bring
MAX_LOST_ATTEMPTS = 5  # a node whose worker died this often is taken for what kills it


class ExecutionStatus(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Nothing changes any more."""
        return self not in LEGAL_EXECUTION


class NodeStatus(StrEnum):
    """Where a node of a run stands."""

    PENDING = "pending"  # incoming edges are undecided
    READY = "ready"  # to be run at due_at
    RUNNING = "running"  # leased by a worker
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"  # no incoming edge was taken
    CANCELLED = "cancelled"  # another node failed before this one began

    @property
    def is_final(self) -> bool:
        """Nothing changes any more."""
        return self not in LEGAL_NODE


class Outcome(StrEnum):
    """How one attempt of a node ended."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    LOST = "lost"  # its lease ran out


LEGAL_EXECUTION: Mapping[ExecutionStatus, frozenset[ExecutionStatus]] = {
    ExecutionStatus.RUNNING: frozenset({ExecutionStatus.COMPLETED, ExecutionStatus.FAILED}),
}

LEGAL_NODE: Mapping[NodeStatus, frozenset[NodeStatus]] = {
    NodeStatus.PENDING: frozenset({NodeStatus.READY, NodeStatus.SKIPPED, NodeStatus.CANCELLED}),
    NodeStatus.READY: frozenset({NodeStatus.RUNNING, NodeStatus.CANCELLED}),
    # running again: the lease ran out and another worker took over; ready again: to be tried once more
    NodeStatus.RUNNING: frozenset({NodeStatus.RUNNING, NodeStatus.READY, NodeStatus.COMPLETED, NodeStatus.FAILED, NodeStatus.CANCELLED}),
}


def sources_of(target: NodeStatus) -> tuple[NodeStatus, ...]:
    """The states from which a node may become `target`: what every UPDATE of a node's status names in its WHERE."""
    return tuple(source for source, targets in LEGAL_NODE.items() if target in targets)


@dataclass(frozen=True)
class ExecutionSummary:
    """One run without its nodes. `error` has the problem shape of gateway-api.md."""

    id: str
    flow_id: str
    flow_version: str
    status: ExecutionStatus
    parameters: JsonObject
    triggered_by: str
    execution_context: JsonObject
    started_at: datetime
    completed_at: datetime | None = None
    error: JsonObject | None = None
    warnings: tuple[str, ...] = ()

    @property
    def duration_ms(self) -> int | None:
        """Milliseconds from start to end; None while it runs."""
        return milliseconds_between(self.started_at, self.completed_at)


@dataclass(frozen=True)
class NodeView:
    """One node of a run. `attempts` counts tries begun, lost ones included; `output` is any JSON value."""

    id: str
    name: str
    type: str
    status: NodeStatus
    attempts: int = 0
    started_at: datetime | None = None
    completed_at: datetime | None = None
    output: Any = None
    error: JsonObject | None = None

    @property
    def duration_ms(self) -> int | None:
        """Milliseconds from the first attempt's start to the end; None before."""
        return milliseconds_between(self.started_at, self.completed_at)


@dataclass(frozen=True)
class ExecutionView(ExecutionSummary):
    """One run with its nodes in the order of the definition, and its result once it completed."""

    result: Any = None
    nodes: tuple[NodeView, ...] = field(default=())


@dataclass(frozen=True)
class Started:
    """What `Executions.start` did. `created` is False when the Idempotency-Key named a run that exists."""

    execution: ExecutionSummary
    created: bool


@dataclass(frozen=True)
class ExecutionPage:
    """A page of a flow's history, newest first; `total` counts all that match."""

    executions: tuple[ExecutionSummary, ...]
    total: int
    limit: int
    offset: int


@dataclass(frozen=True)
class Claim:
    """One worker's hold on one node, until its lease runs out. `epoch` fences it: a later claim voids whatever this holder writes.

    `failures` and `losses`: earlier attempts of the node that failed, or whose worker died. `failing`: another node failed already.
    """

    execution_id: str
    node_id: str
    epoch: int
    flow_id: str
    definition_digest: str
    parameters: JsonObject
    triggered_by: str
    request_id: str | None = None
    failures: int = 0
    losses: int = 0
    failing: bool = False


def milliseconds_between(started_at: datetime | None, completed_at: datetime | None) -> int | None:
    """Whole milliseconds, or None when either is missing."""
    if started_at is None or completed_at is None:
        return None
    return max(0, round((completed_at - started_at).total_seconds() * 1000))
