"""The ledger over a real PostgreSQL: targets that heal when a test says so, and workers that run when a test says so."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from config.databases import PostgresSettings
from config.recovery import RecoverySettings
from gateway.configuration.errors import ServiceNotFound
from gateway.configuration.model import FlowFilters, FlowPage, Instance, Known, Service, Source
from gateway.databases.errors import DatabaseDisabled, DatabaseUnreachable
from gateway.databases.model import DatabaseName, DatabaseStatus, Ping, Role, Status, StatusError
from gateway.databases.postgres import Postgres
from gateway.errors import GatewayError
from gateway.executions.errors import ExecutionNotFound
from gateway.executions.model import ExecutionStatus, ExecutionView, Started
from gateway.flows.parsing import parse_flow
from gateway.outbox.model import TaskName
from gateway.outbox.relay import Relay
from gateway.outbox.service import Outbox
from gateway.recovery.breaker_model import BreakerChange, BreakerState, Cause
from gateway.recovery.ledger.flows import RunFlow
from gateway.recovery.ledger.model import Ended
from gateway.recovery.ledger.service import Recoveries
from gateway.recovery.ledger.strategies import Instances, strategies
from gateway.recovery.model import Action, Decision, Fault, FaultType, FlowOrigin, Strategy
from gateway.recovery.policy import RecoveryPolicy
from gateway.spool import FileSpool
from tests.fakes.clock import FakeClock
from tests.fakes.sender import FakeSender
from tests.fakes.upstream import FakeHttp

CLICKHOUSE = "database:clickhouse"
ORDERS = "service:orders"
RECONNECT = Decision(Action.RECONNECT_DATABASE, Strategy.DELAYED, "left_to_a_worker", retry_after_ms=5000)
FAILOVER = Decision(Action.FAILOVER_INSTANCE, Strategy.DELAYED, "left_to_a_worker", retry_after_ms=5000)


def fault(target: str | None = CLICKHOUSE, kind: FaultType = FaultType.DATABASE_CONNECTION, origin: FlowOrigin | None = None) -> Fault:
    """A fault of this target."""
    return Fault(kind, True, "tests", 1.0, "v1-00", "tests.Error", "It does not answer", target=target, origin=origin)


def changed(
    old: BreakerState, new: BreakerState, at: datetime, *, cause: Cause = Cause.CALLS, blamed: Fault | None = None
) -> BreakerChange:
    """That the breaker of ORDERS changed."""
    return BreakerChange(ORDERS, old, new, at, cause, blamed)


@dataclass
class FakeDatabase:
    """Answers unless `down`."""

    name: str = "clickhouse"
    engine: str = "ClickHouse"
    down: bool = True
    calls: list[str] = field(default_factory=list)

    def close(self) -> None:
        self.calls.append("close")

    def connect(self) -> None:
        self.calls.append("connect")
        if self.down:
            raise DatabaseUnreachable(self.name, "ClickHouse does not answer")

    def ping(self, timeout_seconds: float) -> Ping:
        self.calls.append("ping")
        if self.down:
            raise DatabaseUnreachable(self.name, "ClickHouse does not answer")
        return Ping("25.8")


@dataclass
class FakeDatabases:
    """Knows one database."""

    clickhouse: FakeDatabase = field(default_factory=FakeDatabase)

    def get(self, name: str) -> Any:
        if name != "clickhouse":
            raise DatabaseDisabled(f"{name} is not configured")
        return self.clickhouse


@dataclass
class FakeDiscovery:
    """Services as the registry knows them; `error` is raised instead while it is set."""

    services: dict[str, Service] = field(default_factory=dict)
    error: GatewayError | None = None

    def add(self, name: str, *ports: int, health: str | None = "/health", capabilities: tuple[str, ...] = ()) -> None:
        instances = tuple(Instance("127.0.0.1", port, health_endpoint=health, capabilities=capabilities) for port in ports)
        self.services[name] = Service(name, "healthy", instances)

    def ping(self) -> None:
        if self.error:
            raise self.error

    def rediscover(self, name: str) -> Service:
        if self.error:
            raise self.error
        return self.services[name]

    def rediscover_capable(self, capability: str) -> Service:
        for service in self.services.values():
            if any(capability in instance.capabilities for instance in service.instances):
                return service
        raise ServiceNotFound(f"No healthy service has the capability {capability!r}")


@dataclass
class FakeRegistry:
    """Flow documents; `stale` acts as if the registry were down."""

    documents: list[dict[str, Any]] = field(default_factory=list)
    stale: bool = False

    def list_flows(self, filters: FlowFilters, page: int, limit: int) -> Known[FlowPage]:
        found = [each for each in self.documents if each.get("status", "active") == filters.status]
        kept = tuple(found[(page - 1) * limit : page * limit])
        source = Source.LAST_KNOWN_GOOD if self.stale else Source.SERVICE
        return Known(FlowPage(kept, page, limit, len(found)), 0.0, stale=self.stale, source=source)

    def get_flow(self, flow_id: str) -> Known[Any]:
        document = next(each for each in self.documents if each["id"] == flow_id)
        return Known(
            parse_flow({key: value for key, value in document.items() if key != "status"}), 0.0, stale=False, source=Source.SERVICE
        )


@dataclass
class FakeRuns:
    """Executions of recovery flows: one for each idempotency key, in the status that a test gives it."""

    clock: FakeClock
    started: list[dict[str, Any]] = field(default_factory=list)
    status: ExecutionStatus = ExecutionStatus.RUNNING
    error: GatewayError | None = None
    _by_key: dict[str, str] = field(default_factory=dict)

    def start(self, flow_id: str, parameters: Any, *, idempotency_key: str | None = None, **more: Any) -> Started:
        if self.error:
            raise self.error
        key = str(idempotency_key)
        created = key not in self._by_key
        if created:
            self._by_key[key] = f"execution-{len(self._by_key) + 1}"
            self.started.append({"flow_id": flow_id, "parameters": dict(parameters), "key": key, **more})
        return Started(self.get(self._by_key[key]), created)

    def get(self, execution_id: str) -> ExecutionView:
        if execution_id not in self._by_key.values():
            raise ExecutionNotFound("There is no such execution")
        return ExecutionView(execution_id, "heal", "1.0.0", self.status, {}, "recovery", {}, self.clock.now())


@dataclass
class FakeSnapshot:
    """What the poller saw last."""

    clock: FakeClock
    down: set[DatabaseName] = field(default_factory=set)

    def __call__(self) -> dict[DatabaseName, DatabaseStatus]:
        return {name: self._status(name) for name in (DatabaseName.POSTGRES, DatabaseName.CLICKHOUSE)}

    def _status(self, name: DatabaseName) -> DatabaseStatus:
        now, down = self.clock.now(), name in self.down
        error = StatusError("DatabaseUnreachable", "DATABASE_CONNECTION_ERROR", "It cannot be reached", "210") if down else None
        status = Status.UNHEALTHY if down else Status.HEALTHY
        return DatabaseStatus(name, name.value, Role.ANALYTICS, status, None, "closed", now, last_ok_at=None if down else now, error=error)


class RecoveryWorld:
    """Recoveries over a real PostgreSQL; the broker and the workers are `pump`."""

    def __init__(self, postgres_url: str, directory: Path, **variables: str) -> None:
        self.clock = FakeClock()
        self.sender = FakeSender()
        self.databases = FakeDatabases()
        self.discovery = FakeDiscovery()
        self.http = FakeHttp()
        self.registry = FakeRegistry()
        self.runs = FakeRuns(self.clock)
        self.snapshot = FakeSnapshot(self.clock)
        self.ended: list[Ended] = []
        self.noticed: list[Fault] = []
        self.avoided: dict[str, frozenset[str]] = {}
        self.learned: Action | None = None
        self.explored: Action | None = None
        self.policy = RecoveryPolicy()
        self.postgres = Postgres(PostgresSettings.read({"DATABASE_URL": postgres_url, "POSTGRES_CONNECT_TIMEOUT_SECONDS": "1"}))
        self.relay = Relay(self.postgres, self.sender, self.clock)
        self.outbox = Outbox(self.postgres, self.relay, self.clock)
        self.directory = directory
        self.settings = RecoverySettings.read(variables)
        self.recoveries = self.another_process()

    def another_process(self, worker: str = "worker-1") -> Recoveries:
        """The ledger as another process would have it, on the same rows."""
        return Recoveries(
            outbox=self.outbox,
            spool=FileSpool(self.directory, "recoveries", 1_000_000),
            flows=self.registry,
            strategies=strategies(self.databases, self.discovery, Instances(self.http, self.clock), RunFlow(self.registry, self.runs)),
            snapshot=self.snapshot,
            on_avoid=self._avoid,
            on_ended=[self.ended.append],
            clock=self.clock,
            settings=self.settings,
            worker=worker,
            find_learned=lambda _fault: self.learned,
            explore=lambda _fault, action: self.explored or action,
            on_noticed=self.noticed.append,
            policy=self.policy,
        )

    def intend(self, target: str = CLICKHOUSE, decision: Decision = RECONNECT, **more: Any) -> str:
        """A fault comes in, and what is left to a worker is written down; its recovery's id."""
        recovery_id = self.recoveries.intend(fault(target, **more), decision)
        assert recovery_id
        self.recoveries.step()
        return recovery_id

    def pump(self) -> int:
        """Deliver what is due, and what follows from it, until nothing is; returns how many messages it took."""
        delivered = 0
        while self.relay.drain().sent:
            messages, self.sender.sent = self.sender.sent, []
            for message in messages:
                assert message.task == TaskName.RUN_RECOVERY
                self.recoveries.run(**message.arguments)
                delivered += 1
        return delivered

    def lose_all_messages(self) -> None:
        """The broker loses everything."""
        while self.relay.drain().sent:
            self.sender.sent.clear()

    def later(self, seconds: float) -> None:
        """Time passes, and every process reads what is open."""
        self.clock.advance(seconds)
        self.recoveries.step()

    def close(self) -> None:
        self.recoveries.stop()
        self.postgres.close()

    def _avoid(self, by_target: dict[str, frozenset[str]]) -> None:
        self.avoided = by_target
