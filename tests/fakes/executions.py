"""Everything that running flows needs besides PostgreSQL: a registry, services, and workers that run when a test says so."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from config.databases import PostgresSettings
from config.groups import WorkerSettings
from gateway.configuration.errors import FlowNotFound
from gateway.configuration.model import CopyState, Known, Source
from gateway.databases.postgres import Postgres
from gateway.errors import GatewayError
from gateway.executions.model import ExecutionAction, ExecutionView
from gateway.executions.ports import StartReport, StatusReport
from gateway.executions.service import Executions
from gateway.flows.model import FlowDefinition
from gateway.flows.parsing import parse_flow, parse_stored_flow
from gateway.outbox.model import TaskName
from gateway.outbox.relay import Relay
from gateway.outbox.service import Outbox
from gateway.recovery.classify import classify
from gateway.recovery.immediate import ImmediateRecovery
from gateway.recovery.model import Fault
from tests.fakes.clock import FakeClock
from tests.fakes.sender import FakeSender
from tests.fakes.upstream import FakeDirectory, FakeHttp


def flow_document(nodes: dict[str, dict[str, Any]], edges: list[tuple[Any, ...]] = (), **more: Any) -> dict[str, Any]:  # type: ignore[assignment]
    """A definition. `nodes`: id to {type, config}, or to the config of a transform. `edges`: (source, target[, condition])."""
    return {
        "id": "f1",
        "name": "A flow",
        "type": "custom",
        "version": "1.0.0",
        "createdBy": "tests",
        "nodes": [
            {"id": name, "name": name.title(), **(node if "type" in node else {"type": "transform", "config": node})}
            for name, node in nodes.items()
        ],
        "edges": [
            {"id": f"e{index}", "source": edge[0], "target": edge[1]} | ({"condition": edge[2]} if len(edge) > 2 else {})
            for index, edge in enumerate(edges)
        ],
        **more,
    }


SERVICE = {"type": "service", "config": {"service": "prices", "path": "/today"}}
CHAIN = flow_document({"fetch": SERVICE, "after": {"output": "${nodes.fetch.output.body}"}}, [("fetch", "after")])


@dataclass
class FakeFlowSource:
    """Definitions by id."""

    flows: dict[str, FlowDefinition] = field(default_factory=dict)
    state: CopyState = CopyState.KNOWN
    problem: str | None = None

    def add(self, document: dict[str, Any], **stored: Any) -> None:
        flow = parse_stored_flow({**document, **stored}) if stored else parse_flow(document)
        self.flows[flow.id] = flow

    def get_flow(self, flow_id: str) -> Known[FlowDefinition]:
        if flow_id not in self.flows:
            raise FlowNotFound("No flow has this id")
        return Known(self.flows[flow_id], 0.0, stale=False, source=Source.SERVICE, state=self.state, problem=self.problem)


@dataclass
class FakeRegistryReports:
    """A registry's history. `error` is raised instead while it is set; `keeps_records` False refuses every run."""

    error: GatewayError | None = None
    keeps_records: bool = True
    told: list[tuple[str, str]] = field(default_factory=list)
    changes: list[StatusReport] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def report_started(self, flow_id: str, report: StartReport) -> str | None:
        if self.error:
            raise self.error
        self.told.append(("started", report.execution_id))
        self.keys.append(report.key)
        return f"registry-{report.key}" if self.keeps_records else None

    def report_status(self, registry_execution_id: str, report: StatusReport) -> None:
        if self.error:
            raise self.error
        assert registry_execution_id == f"registry-{[key for key in self.keys if key.startswith(report.execution_id)][-1]}"
        self.told.append((report.status, report.execution_id))
        self.changes.append(report)


class ExecutionWorld:
    """Executions over a real PostgreSQL; the broker and the workers are `pump`."""

    def __init__(self, postgres_url: str) -> None:
        self.postgres_url = postgres_url
        self.clock = FakeClock()
        self.sender = FakeSender()
        self.flows = FakeFlowSource()
        self.directory = FakeDirectory()
        self.http = FakeHttp()
        self.reports = FakeRegistryReports()
        self.faults: list[tuple[Fault, str]] = []
        self.recovery: ImmediateRecovery | None = None
        self.postgres = Postgres(PostgresSettings.read({"DATABASE_URL": postgres_url}))
        self.relay = Relay(self.postgres, self.sender, self.clock)
        self.outbox = Outbox(self.postgres, self.relay, self.clock)
        self.executions = self.another_process()

    def act(self, execution_id: str, action: str, reason: str | None = None) -> ExecutionView:
        """What a client asks of an execution."""
        return self.executions.act(execution_id, ExecutionAction(action), caller="alice", reason=reason)

    def another_process(self) -> Executions:
        """Executions as another process would have them, on the same rows."""
        return Executions(
            outbox=self.outbox,
            flows=self.flows,
            services=self.directory,
            http=self.http,
            reports=self.reports,
            classify=classify,
            on_fault=lambda fault, triggered_by: self.faults.append((fault, triggered_by)),
            clock=self.clock,
            settings=WorkerSettings(),
            recovery=self.recovery,
        )

    def start(self, parameters: dict[str, Any] | None = None, **more: Any) -> str:
        """Start flow f1; its execution's id."""
        started = self.executions.start("f1", parameters or {}, triggered_by="tests", execution_context={}, **more)
        return started.execution.id

    def pump(self, only: TaskName | None = None) -> int:
        """Deliver what is due, and what follows from it, until nothing is; returns how many messages it took."""
        handlers: dict[str, Callable[..., Any]] = {TaskName.RUN_NODE: self.executions.run_node, TaskName.REPORT: self.executions.report}
        delivered = 0
        while self.relay.drain().sent:
            messages, self.sender.sent = self.sender.sent, []
            for message in messages:
                if only is None or message.task == only:
                    handlers[message.task](**message.arguments)
                    delivered += 1
        return delivered

    def run(self, parameters: dict[str, Any] | None = None) -> ExecutionView:
        """Start flow f1 and run it until nothing is due."""
        execution_id = self.start(parameters)
        self.pump()
        return self.executions.get(execution_id)

    def close(self) -> None:
        self.executions.stop()
        self.postgres.close()


@contextmanager
def chain_world(postgres_url: str) -> Iterator[ExecutionWorld]:
    """A world that knows `CHAIN` and the service that it calls."""
    world = ExecutionWorld(postgres_url)
    world.directory.add("prices", 9000)
    world.flows.add(CHAIN)
    yield world
    world.close()
