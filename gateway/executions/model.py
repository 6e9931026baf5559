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
MAX_ACTIONS = 100  # of each execution: the latest are kept


class ExecutionStatus(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    PAUSED = "paused"  # no further node begins until it is resumed
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"  # somebody ended it

    @property
    def is_final(self) -> bool:
        """It ended: nothing changes any more by itself; one that did not complete may be retried by hand."""
        return self in ENDED


class NodeStatus(StrEnum):
    """Where a node of a run stands."""

    PENDING = "pending"  # incoming edges are undecided
    READY = "ready"  # to be run at due_at
    PAUSED = "paused"  # what is ready is called so while its execution is paused; due_at stands
    RUNNING = "running"  # leased by a worker
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"  # no incoming edge was taken
    CANCELLED = "cancelled"  # its execution was cancelled, or another node failed before this one began

    @property
    def is_final(self) -> bool:
        """Nothing changes any more, unless its execution is retried."""
        return self in NODE_ENDED


class Outcome(StrEnum):
    """How one attempt of a node ended."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    LOST = "lost"  # its lease ran out
    HANDED_BACK = "handed_back"  # its worker was told to leave: nobody's fault
    CANCELLED = "cancelled"  # somebody cancelled the execution, or another node had failed


class ExecutionAction(StrEnum):
    """What a client may do to an execution, as it stands in a path."""

    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"


ENDED = frozenset({ExecutionStatus.COMPLETED, ExecutionStatus.FAILED, ExecutionStatus.CANCELLED})
NODE_ENDED = frozenset({NodeStatus.COMPLETED, NodeStatus.FAILED, NodeStatus.SKIPPED, NodeStatus.CANCELLED})

LEGAL_EXECUTION: Mapping[ExecutionStatus, frozenset[ExecutionStatus]] = {
    ExecutionStatus.RUNNING: frozenset({ExecutionStatus.PAUSED, *ENDED}),
    ExecutionStatus.PAUSED: frozenset({ExecutionStatus.RUNNING, *ENDED}),  # ended: by those nodes that were under way
    ExecutionStatus.FAILED: frozenset({ExecutionStatus.RUNNING}),
    ExecutionStatus.CANCELLED: frozenset({ExecutionStatus.RUNNING}),
}

# Where each action leads, and from where. Asked for again where it led to, it changes nothing; a retry is never meant so.
ACTIONS: Mapping[ExecutionAction, tuple[frozenset[ExecutionStatus], ExecutionStatus]] = {
    ExecutionAction.CANCEL: (frozenset({ExecutionStatus.RUNNING, ExecutionStatus.PAUSED}), ExecutionStatus.CANCELLED),
    ExecutionAction.PAUSE: (frozenset({ExecutionStatus.RUNNING}), ExecutionStatus.PAUSED),
    ExecutionAction.RESUME: (frozenset({ExecutionStatus.PAUSED}), ExecutionStatus.RUNNING),
    ExecutionAction.RETRY: (frozenset({ExecutionStatus.FAILED, ExecutionStatus.CANCELLED}), ExecutionStatus.RUNNING),
}

_BEGUN_ANEW = frozenset({NodeStatus.PENDING, NodeStatus.READY, NodeStatus.SKIPPED})  # by a retry, as its edges were decided
LEGAL_NODE: Mapping[NodeStatus, frozenset[NodeStatus]] = {
    NodeStatus.PENDING: frozenset({NodeStatus.READY, NodeStatus.PAUSED, NodeStatus.SKIPPED, NodeStatus.CANCELLED}),
    NodeStatus.READY: frozenset({NodeStatus.RUNNING, NodeStatus.PAUSED, NodeStatus.CANCELLED}),
    NodeStatus.PAUSED: frozenset({NodeStatus.READY, NodeStatus.CANCELLED}),
    # running again: the lease ran out and another worker took over; ready or paused again: to be tried once more
    NodeStatus.RUNNING: frozenset(set(NodeStatus) - {NodeStatus.PENDING, NodeStatus.SKIPPED}),
    NodeStatus.FAILED: _BEGUN_ANEW,
    NodeStatus.CANCELLED: _BEGUN_ANEW,
}


def sources_of(target: NodeStatus) -> tuple[NodeStatus, ...]:
    """The states from which a node may become `target`: what every UPDATE of a node's status names in its WHERE."""
    return tuple(source for source, targets in LEGAL_NODE.items() if target in targets)


def ready_in(status: ExecutionStatus) -> NodeStatus:
    """What a node that could run is called in an execution of this status."""
    return NodeStatus.PAUSED if status is ExecutionStatus.PAUSED else NodeStatus.READY


def possible_actions(status: ExecutionStatus) -> tuple[ExecutionAction, ...]:
    """What would change an execution of this status."""
    return tuple(action for action, (sources, _) in ACTIONS.items() if status in sources)


def is_repeated(action: ExecutionAction, status: ExecutionStatus) -> bool:
    """Whether the action was done already, so that it is answered and changes nothing."""
    return action is not ExecutionAction.RETRY and status is ACTIONS[action][1]


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
class ActionTaken:
    """One thing that somebody did to an execution. `from_status` and `to_status`: of the execution, before and after."""

    action: ExecutionAction
    caller: str
    reason: str | None
    taken_at: datetime
    from_status: ExecutionStatus
    to_status: ExecutionStatus
    request_id: str | None = None


@dataclass(frozen=True)
class ExecutionView(ExecutionSummary):
    """One run with its nodes in the order of the definition, its result once it completed, and what was done to it, oldest first."""

    result: Any = None
    nodes: tuple[NodeView, ...] = field(default=())
    actions: tuple[ActionTaken, ...] = field(default=())


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

    `failures` and `losses`: attempts of the node that failed, or whose worker died, since the execution was started or last retried.
    `failing`: another node failed already.
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
