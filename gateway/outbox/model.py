"""What can be rung for, where it is routed, and how one message looks. Pure values: no I/O, no Celery."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Queue(StrEnum):
    """The queues on the broker. A worker takes turns between them, so a wide flow never starves the sweeper."""

    EXECUTIONS = "executions"
    REPORTS = "reports"
    MAINTENANCE = "maintenance"
    RECOVERIES = "recoveries"


class TaskName(StrEnum):
    """Every task by its name: what the gateway rings for and what `tasks/` answers to."""

    RUN_NODE = "executions.run_node"
    REPORT = "executions.report"
    UPLOAD_FLOW = "flows.upload"
    SWEEP = "outbox.sweep"
    HEARTBEAT = "workers.heartbeat"
    REFRESH_TOPOLOGY = "topology.refresh"
    RUN_RECOVERY = "recoveries.run"
    SWEEP_RECOVERIES = "recoveries.sweep"
    REFRESH_RECOVERY_FLOWS = "recoveries.refresh_flows"
    ECHO = "workers.echo"
    UPLOAD_PATTERNS = "patterns.upload"


ROUTES: Mapping[TaskName, Queue] = {
    TaskName.RUN_NODE: Queue.EXECUTIONS,
    TaskName.REPORT: Queue.REPORTS,
    TaskName.UPLOAD_FLOW: Queue.REPORTS,
    TaskName.SWEEP: Queue.MAINTENANCE,
    TaskName.HEARTBEAT: Queue.MAINTENANCE,
    TaskName.REFRESH_TOPOLOGY: Queue.MAINTENANCE,
    TaskName.RUN_RECOVERY: Queue.RECOVERIES,
    TaskName.SWEEP_RECOVERIES: Queue.MAINTENANCE,
    TaskName.REFRESH_RECOVERY_FLOWS: Queue.MAINTENANCE,
    TaskName.ECHO: Queue.MAINTENANCE,
    TaskName.UPLOAD_PATTERNS: Queue.REPORTS,
}


@dataclass(frozen=True)
class Message:
    """One ring of the doorbell. Its arguments are ids, never state: the rows hold the truth."""

    task: str
    arguments: Mapping[str, str]
    request_id: str | None = None
    id: int = 0


@dataclass(frozen=True)
class Backlog:
    """What waits in the outbox: `pending` due messages, the oldest of them due since `oldest_seconds`."""

    pending: int
    oldest_seconds: float


@dataclass(frozen=True)
class Drained:
    """One round of the relay: messages sent, whether more are due at once, and when the next timer is due."""

    sent: int
    more: bool = False
    next_due_at: datetime | None = None
