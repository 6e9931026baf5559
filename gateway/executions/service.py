"""Running flows durably: what views, tasks and commands call. Everything true about a run is a row; a message only says "look"."""

import os
import socket
from collections.abc import Collection, Mapping
from random import Random
from typing import Any

from config.groups import WorkerSettings
from gateway.clock import Clock
from gateway.executions.acting import Actor
from gateway.executions.kinds.call import Kind
from gateway.executions.kinds.calling import ServiceCaller
from gateway.executions.kinds.capability import CapabilityKind
from gateway.executions.kinds.service import ServiceKind
from gateway.executions.kinds.transform import run_transform
from gateway.executions.leases import Leases
from gateway.executions.model import ExecutionAction, ExecutionPage, ExecutionStatus, ExecutionView, Started
from gateway.executions.plan import PlanCache
from gateway.executions.ports import Classify, FlowSource, Http, Once, OnFault, Recovery, RegistryReports, ServiceSource
from gateway.executions.postgres import ExecutionStore
from gateway.executions.reporting import Reporter
from gateway.executions.runner import TRANSFORM, Runner
from gateway.executions.settling import Settler
from gateway.executions.starting import Starter, StartRequest
from gateway.executions.sweeping import Sweeper, Swept
from gateway.executions.waiting import Waiting
from gateway.outbox.service import Outbox

MAX_PAGE = 200
NOBODY = "anonymous"


class Executions:
    """One per process, safe for threads. Opens nothing until it is used."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        flows: FlowSource,
        services: ServiceSource,
        http: Http,
        reports: RegistryReports,
        classify: Classify,
        on_fault: OnFault,
        clock: Clock,
        settings: WorkerSettings,
        recovery: Recovery | None = None,
    ) -> None:
        """`recovery`: stands around every call to a service; one attempt without it."""
        self._outbox = outbox
        leases = Leases(outbox, clock, settings.node_lease_seconds)
        plans, worker = PlanCache(), worker_name()
        settler = Settler(
            outbox=outbox,
            leases=leases,
            plans=plans,
            classify=classify,
            on_fault=on_fault,
            clock=clock,
            worker=worker,
            random=Random(),
        )
        caller = ServiceCaller(services, http, clock, recovery or Once())
        kinds: dict[str, Kind] = {TRANSFORM: run_transform, "service": ServiceKind(services, caller, clock)}
        capability = CapabilityKind(services, caller, clock)
        self._starter = Starter(outbox, flows, clock)
        self._actor = Actor(outbox, plans, clock)
        self._runner = Runner(outbox=outbox, settler=settler, leases=leases, kinds=kinds, capability=capability, clock=clock)
        self._reporter = Reporter(outbox, reports, clock, worker)
        self._sweeper = Sweeper(outbox, clock, settings.retention_days)
        self._waiting = Waiting(self._find_standing, clock)

    def start(
        self,
        flow_id: str,
        parameters: Mapping[str, Any],
        *,
        triggered_by: str,
        execution_context: Mapping[str, Any],
        idempotency_key: str | None = None,
        caller: str = NOBODY,
    ) -> Started:
        """Start a flow. `created` is False when the same key and body came before: their execution is returned.

        Args:
            caller: scopes the key together with the flow, so that two callers never meet in one key.
        Raises:
            InvalidInput, KeyReused, NotFound, FlowArchived, FlowNotAccepted, Unavailable; see `Starter.start`.
        """
        return self._starter.start(StartRequest(flow_id, parameters, triggered_by, execution_context, caller, idempotency_key))

    def get(self, execution_id: str) -> ExecutionView:
        """One execution with its nodes, result and error.

        Raises:
            ExecutionNotFound
        """
        with self._outbox.transaction() as work:
            return ExecutionStore(work.connection).get_view(execution_id)

    def wait(self, execution_id: str, seconds: float) -> ExecutionView:
        """The execution once it ended or is paused, or as it stands after `seconds`, or when this process leaves.

        Holds no connection meanwhile.

        Raises:
            ExecutionNotFound
        """
        self._waiting.wait(execution_id, seconds)
        return self.get(execution_id)

    def act(self, execution_id: str, action: ExecutionAction, *, caller: str, reason: str | None = None) -> ExecutionView:
        """Cancel, pause, resume or retry it; returns it as it stands then.

        Args:
            caller: who does it; kept with the reason and shown in the execution's `actions`.
        Raises:
            InvalidInput, ExecutionNotFound, ActionImpossible; see `Actor.act`.
        """
        return self._actor.act(execution_id, action, caller=caller, reason=reason)

    def list_for_flow(self, flow_id: str, *, status: ExecutionStatus | None = None, limit: int = 20, offset: int = 0) -> ExecutionPage:
        """A page of a flow's executions, newest first; at most `MAX_PAGE` at once."""
        with self._outbox.transaction() as work:
            return ExecutionStore(work.connection).list_for_flow(flow_id, status, min(limit, MAX_PAGE), offset)

    def run_node(self, execution_id: str, node_id: str) -> None:
        """Run one node, and those after it as long as that is quick. Ringing twice is harmless: the lease admits one runner."""
        self._runner.run(execution_id, node_id)

    def report(self, execution_id: str) -> None:
        """Tell the registry what it does not know yet of this execution. Ringing twice is harmless."""
        self._reporter.report(execution_id)

    def sweep(self) -> Swept:
        """Ring again for what nobody heard, and forget what is old."""
        return self._sweeper.sweep()

    def hand_back(self, parent_pid: int) -> int:
        """Give up what the children of this process had in hand when they ended; returns how many nodes others are rung for.

        Raises:
            DatabaseError: PostgreSQL failed; the leases run out by themselves.
        """
        return self._sweeper.hand_back(workers_of(parent_pid))

    def release_waiters(self) -> None:
        """Let whoever waits in this process go now, with the execution as it stands."""
        self._waiting.release()

    def stop(self) -> None:
        """End the thread that waits for executions."""
        self._waiting.stop()

    def _find_standing(self, execution_ids: Collection[str]) -> set[str]:
        with self._outbox.transaction() as work:
            return ExecutionStore(work.connection).find_standing(execution_ids)


def worker_name() -> str:
    """Names this process in leases and attempts. Ask in the process itself, after the fork."""
    return f"{workers_of(os.getppid())}{os.getpid()}"


def workers_of(parent_pid: int) -> str:
    """How the names of this process's children begin."""
    return f"{socket.gethostname()}:{parent_pid}:"
