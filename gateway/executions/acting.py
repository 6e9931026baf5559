"""What a client does to an execution: cancel, pause, resume, retry. One transaction under the lock of its row (ADR 0007).

Nothing is asked of a worker: rows change, and whoever holds a node of a cancelled execution finds its claim void when it comes to write.
"""

from collections.abc import Iterable
from datetime import datetime

import structlog

from gateway.clock import Clock
from gateway.errors import FieldError, InvalidInput
from gateway.executions.errors import ActionImpossible
from gateway.executions.model import (
    ACTIONS,
    ActionTaken,
    ExecutionAction,
    ExecutionStatus,
    ExecutionView,
    NodeStatus,
    is_repeated,
    possible_actions,
)
from gateway.executions.plan import Plan, PlanCache
from gateway.executions.postgres import ExecutionStore
from gateway.executions.postgres_actions import ActionStore
from gateway.executions.postgres_nodes import NodeStore
from gateway.executions.postgres_reports import ReportStore
from gateway.executions.scope import skip_edges
from gateway.executions.settling import decide_on, ring_for
from gateway.observability.context import current_request_id
from gateway.outbox.model import TaskName
from gateway.outbox.service import Outbox, Work

log = structlog.get_logger(__name__)

MAX_REASON = 500
DONE = {
    ExecutionAction.CANCEL: "cancelled",
    ExecutionAction.PAUSE: "paused",
    ExecutionAction.RESUME: "resumed",
    ExecutionAction.RETRY: "retried",
}


class Actor:
    """Acts on executions."""

    def __init__(self, outbox: Outbox, plans: PlanCache, clock: Clock) -> None:
        self._outbox = outbox
        self._plans = plans
        self._clock = clock

    def act(self, execution_id: str, action: ExecutionAction, *, caller: str, reason: str | None) -> ExecutionView:
        """Do it; returns the execution as it stands then. To cancel, pause or resume again what is so already changes nothing.

        Raises:
            InvalidInput: the reason. ExecutionNotFound. ActionImpossible: its status does not allow it.
            DatabaseError: PostgreSQL failed; nothing was done.
        """
        check_reason(reason)
        with self._outbox.transaction() as work:
            status = ActionStore(work.connection, execution_id).lock()
            if not is_repeated(action, status):
                self._carry_out(work, execution_id, action, self._taken(action, status, caller, reason))
            view = ExecutionStore(work.connection).get_view(execution_id)
        said = {"action": action.value, "caller": caller, "old": status.value, "new": view.status.value, "reason": reason}
        log.info("execution_acted_upon", execution_id=execution_id, flow_id=view.flow_id, **said)
        return view

    def _taken(self, action: ExecutionAction, status: ExecutionStatus, caller: str, reason: str | None) -> ActionTaken:
        sources, target = ACTIONS[action]
        if status not in sources:
            raise impossible(action, status)
        return ActionTaken(action, caller, reason, self._clock.now(), status, target, current_request_id())

    def _carry_out(self, work: Work, execution_id: str, action: ExecutionAction, taken: ActionTaken) -> None:
        store = ActionStore(work.connection, execution_id)
        match action:
            case ExecutionAction.CANCEL:
                store.cancel_nodes(taken.taken_at)
            case ExecutionAction.PAUSE:
                store.pause_nodes()
            case ExecutionAction.RESUME:
                self._ring(work, execution_id, store.resume_nodes(taken.taken_at), taken.taken_at)
            case ExecutionAction.RETRY:
                self._begin_anew(work, store, execution_id, taken)
        store.write(taken)
        ReportStore(work.connection).changed(execution_id, taken.taken_at)
        work.outbox.ring(TaskName.REPORT, execution_id=execution_id)

    def _ring(self, work: Work, execution_id: str, nodes: Iterable[tuple[str, datetime]], now: datetime) -> None:
        """Ring for what is due now, and later for what waits for its next attempt."""
        nodes = list(nodes)
        ring_for(work, [(execution_id, node_id) for node_id, due_at in nodes if due_at <= now])
        for node_id, due_at in nodes:
            if due_at > now:
                work.outbox.ring(TaskName.RUN_NODE, due_at=due_at, execution_id=execution_id, node_id=node_id)

    def _begin_anew(self, work: Work, store: ActionStore, execution_id: str, taken: ActionTaken) -> None:
        plan = self._plan(work, store, execution_id, taken)
        standing = store.begin_anew(plan.graph.starts, taken.taken_at)
        skipped = [node_id for node_id, status in standing.items() if status is NodeStatus.SKIPPED]
        ready = [node_id for node_id, status in standing.items() if status is NodeStatus.READY]
        decisions = skip_edges(plan, skipped)
        nodes = NodeStore(work.connection)
        after, _ = decide_on(nodes, plan, execution_id, decisions, now=taken.taken_at, ready_as=NodeStatus.READY)
        ring_for(work, [(execution_id, node_id) for node_id in (*ready, *after)])

    def _plan(self, work: Work, store: ActionStore, execution_id: str, taken: ActionTaken) -> Plan:
        try:
            return self._plans.get(store.definition_digest(), lambda: ExecutionStore(work.connection).get_definition(execution_id))
        except InvalidInput as error:
            detail = "The execution cannot be retried: this version of the gateway cannot read its definition; start the flow anew"
            raise ActionImpossible(detail, status=taken.from_status, possible=()) from error


def check_reason(reason: str | None) -> None:
    """Bounds on what is kept and logged.

    Raises:
        InvalidInput
    """
    if reason is not None and not (1 <= len(reason) <= MAX_REASON and reason.isprintable()):
        problem = FieldError("/reason", f"must be 1 to {MAX_REASON} printable characters")
        raise InvalidInput(f"The reason is not valid: {problem.pointer} {problem.detail}", [problem])


def impossible(action: ExecutionAction, status: ExecutionStatus) -> ActionImpossible:
    """Tells what is possible instead."""
    possible = possible_actions(status)
    instead = f"possible: {', '.join(possible)}" if possible else "nothing can be done to it any more"
    return ActionImpossible(f"The execution is {status.value} and cannot be {DONE[action]}; {instead}", status=status, possible=possible)
