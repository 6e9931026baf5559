"""A container whose services are small fakes that hold what a test puts into them. No I/O."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from config.settings import Settings
from gateway.analytics.model import (
    AnalyticsQuery,
    AnalyticsState,
    ErrorReport,
    FaultCount,
    FaultEvent,
    RequestEvent,
    RequestReport,
    RequestRow,
)
from gateway.caching.in_process import InProcessCache
from gateway.caching.service import Cache
from gateway.configuration.errors import ConfigNotFound, FlowNotFound, ServiceNotFound
from gateway.configuration.model import ConfigValue, FlowFilters, FlowPage, Instance, Known, Registered, Service, Source
from gateway.databases.model import FALLBACKS, DatabaseName, DatabaseStatus, PoolStats, Role, Status, StatusError
from gateway.errors import GatewayError, NotFound
from gateway.executions.acting import check_reason, impossible
from gateway.executions.model import (
    ACTIONS,
    ActionTaken,
    ExecutionAction,
    ExecutionPage,
    ExecutionStatus,
    ExecutionView,
    NodeStatus,
    NodeView,
    Started,
    is_repeated,
)
from gateway.flows.parsing import parse_flow
from gateway.flows.validation import Validation, validate
from gateway.recovery.classify import classify
from gateway.recovery.immediate import ImmediateRecovery
from gateway.recovery.ledger.errors import RecoveryNotFound
from gateway.recovery.ledger.model import Attempt, AttemptOutcome, RecoveryPage, RecoveryStatus, RecoveryView
from gateway.recovery.model import Action, Decision, Fault, Strategy
from gateway.recovery.operating import BreakerControl
from gateway.recovery.patterns.errors import PatternNotFound
from gateway.recovery.patterns.evidence import evidence_of
from gateway.recovery.patterns.model import Outcome, Pattern, PatternPage, PatternView, Related, Sample, Suggestion, facts_of
from gateway.recovery.policy import RecoveryPolicy
from gateway.recovery.registry import Breakers
from gateway.topology.errors import NodeNotFound
from gateway.topology.model import Affected, Edge, Impact, Node, NodeKind, NodeRef, TopologyView
from tests.fakes.clock import FakeClock

AT = datetime(2026, 1, 1, tzinfo=UTC)
ENVIRONMENT = {"DATABASE_URL": "postgresql://user:secret@127.0.0.1:1/gateway", "LOG_LEVEL": "CRITICAL"}
ROLES = dict(zip(DatabaseName, Role, strict=True))
FLOW = {
    "id": "greeting",
    "name": "Greeting",
    "type": "custom",
    "version": "1.0.0",
    "createdBy": "tests",
    "nodes": [{"id": "greet", "name": "Greet", "type": "transform", "config": {"output": "hello"}}],
    "edges": [],
}
ORDERS = Service("orders", "healthy", (Instance("10.0.0.1", 8080, id="orders-1", capabilities=("price",)),), "1.2.0")


def settings(**variables: str) -> Settings:
    """Settings of a default deployment, with these variables besides."""
    return Settings.from_environment({**ENVIRONMENT, **variables})


@dataclass
class FakePoller:
    """Every database is healthy but those in `down`; those in `disabled` are not configured."""

    down: set[str] = field(default_factory=set)
    disabled: set[str] = field(default_factory=set)
    checked_with: float | None = None

    def snapshot(self) -> dict[DatabaseName, DatabaseStatus]:
        return {name: self._status(name) for name in DatabaseName}

    def check_now(self, timeout_seconds: float) -> dict[DatabaseName, DatabaseStatus]:
        self.checked_with = timeout_seconds
        return self.snapshot()

    def _status(self, name: DatabaseName) -> DatabaseStatus:
        fine = DatabaseStatus(
            name, name.value.title(), ROLES[name], Status.HEALTHY, name, "closed", AT, 1.25, AT, None, PoolStats(1, 2, 8, 0), "1.0"
        )
        if name in self.disabled:
            return replace(fine, status=Status.DISABLED, served_by=FALLBACKS[name][-1], latency_ms=None, last_ok_at=None, pool=None)
        if name in self.down:
            error = StatusError("DatabaseUnreachable", "DATABASE_CONNECTION_ERROR", "It cannot be reached", "08006")
            return replace(fine, status=Status.UNHEALTHY, served_by=None, error=error, breaker="open")
        return fine


@dataclass
class FakeDatabases:
    """Counts how often all of them were closed."""

    closed: int = 0

    def close(self) -> None:
        self.closed += 1


@dataclass
class FakeConfiguration:
    """Holds values by key; `error` is raised instead, when set."""

    values: dict[str, Known[ConfigValue]] = field(default_factory=dict)
    error: GatewayError | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)

    def get_value(self, key: str, **layers: str | None) -> Known[ConfigValue]:
        self.asked.append({"key": key, **layers})
        if self.error:
            raise self.error
        if key not in self.values:
            raise ConfigNotFound(f"No layer holds {key}")
        return self.values[key]


@dataclass
class FakeServices:
    """Knows the services in `known`."""

    known: list[Service] = field(default_factory=lambda: [ORDERS])

    def list_services(self) -> Known[tuple[Service, ...]]:
        return Known(tuple(self.known), 0.5, stale=False, source=Source.MEMORY)

    def discover(self, name: str) -> Known[Service]:
        for service in self.known:
            if service.name == name:
                return Known(service, 0.0, stale=False, source=Source.SERVICE)
        raise ServiceNotFound(f"No healthy instance of {name} is registered")

    def choose_instance(self, service: Service) -> Instance:
        return service.instances[0]


@dataclass
class FakeFlows:
    """A registry in memory. `pending` acts as if it were down."""

    documents: dict[str, dict[str, Any]] = field(default_factory=lambda: {"greeting": dict(FLOW)})
    pending: bool = False
    asked: list[tuple[FlowFilters, int, int]] = field(default_factory=list)

    def register(self, document: object) -> Registered:
        parsed = parse_flow(document).document
        self.documents[parsed["id"]] = parsed
        return Registered(parsed, self.pending)

    def get_document(self, flow_id: str) -> Known[dict[str, Any]]:
        if flow_id not in self.documents:
            raise FlowNotFound("No flow has this id")
        return Known(self.documents[flow_id], 0.0, stale=False, source=Source.SERVICE)

    def list_flows(self, filters: FlowFilters, page: int, limit: int) -> Known[FlowPage]:
        self.asked.append((filters, page, limit))
        found = FlowPage(tuple(self.documents.values()), page, limit, len(self.documents))
        return Known(found, 0.0, stale=False, source=Source.SERVICE)

    def validate(self, flow_id: str) -> Validation:
        return validate(parse_flow(self.get_document(flow_id).value))


def execution(execution_id: str = "run-1", status: ExecutionStatus = ExecutionStatus.COMPLETED) -> ExecutionView:
    """One run of the greeting flow."""
    node = NodeView("greet", "Greet", "transform", NodeStatus(status.value), 1, AT, AT, "hello")
    done = AT if status.is_final else None
    return ExecutionView(execution_id, "greeting", "1.0.0", status, {}, "api", {}, AT, done, None, (), "hello", (node,))


@dataclass
class FakeExecutions:
    """Runs are whatever a test puts in; a started one stays running until `wait` is told otherwise."""

    runs: dict[str, ExecutionView] = field(default_factory=dict)
    started: list[dict[str, Any]] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    ends_while_waiting: bool = True
    pauses_while_waiting: bool = False
    result: Any = "hello"
    error: GatewayError | None = None

    def start(self, flow_id: str, parameters: dict[str, Any], **more: Any) -> Started:
        if self.error:
            raise self.error
        self.started.append({"flow_id": flow_id, "parameters": parameters, **more})
        self.runs["run-1"] = execution(status=ExecutionStatus.RUNNING)
        return Started(self.runs["run-1"], created=True)

    def wait(self, execution_id: str, seconds: float) -> ExecutionView:
        self.waited.append(seconds)
        if self.ends_while_waiting:
            self.runs[execution_id] = replace(execution(execution_id), result=self.result)
        elif self.pauses_while_waiting:
            self.runs[execution_id] = execution(execution_id, ExecutionStatus.PAUSED)
        return self.get(execution_id)

    def get(self, execution_id: str) -> ExecutionView:
        if execution_id not in self.runs:
            raise NotFound("No execution has this id")
        return self.runs[execution_id]

    def act(self, execution_id: str, action: ExecutionAction, *, caller: str, reason: str | None = None) -> ExecutionView:
        check_reason(reason)
        view = self.get(execution_id)
        if is_repeated(action, view.status):
            return view
        sources, target = ACTIONS[action]
        if view.status not in sources:
            raise impossible(action, view.status)
        taken = ActionTaken(action, caller, reason, AT, view.status, target, "request-1")
        self.runs[execution_id] = replace(execution(execution_id, target), actions=(*view.actions, taken))
        return self.runs[execution_id]

    def list_for_flow(self, flow_id: str, *, status: ExecutionStatus | None, limit: int, offset: int) -> ExecutionPage:
        runs = [run for run in self.runs.values() if run.flow_id == flow_id and status in (None, run.status)]
        return ExecutionPage(tuple(runs[offset : offset + limit]), len(runs), limit, offset)


@dataclass
class FakeAnalytics:
    """Keeps what was recorded, answers one row."""

    recorded: list[RequestEvent] = field(default_factory=list)
    faults: list[FaultEvent] = field(default_factory=list)
    asked: list[AnalyticsQuery] = field(default_factory=list)

    def record_request(self, event: RequestEvent) -> None:
        self.recorded.append(event)

    def record_fault(self, event: FaultEvent) -> None:
        self.faults.append(event)

    def snapshot(self) -> AnalyticsState:
        return AnalyticsState(0, len(self.recorded), 0, 0, "postgres")

    def requests(self, query: AnalyticsQuery) -> RequestReport:
        self.asked.append(query)
        return RequestReport(query, (self._row(query),), 3, "postgres")

    def errors(self, query: AnalyticsQuery) -> ErrorReport:
        self.asked.append(query)
        return ErrorReport(query, (self._row(query),), (FaultCount("TIMEOUT_ERROR", "http", None, 2, AT, AT),), 1, "postgres")

    @staticmethod
    def _row(query: AnalyticsQuery) -> RequestRow:
        return RequestRow(AT, dict.fromkeys(query.group_by, "x"), 3, 1, 0.33, 0.1, 1.0, 2.0, 3.0, 100)


class FakeTopology:
    """One flow that calls one service."""

    flow = NodeRef(NodeKind.FLOW, "greeting")
    service = NodeRef(NodeKind.SERVICE, "orders")

    def view(self) -> TopologyView:
        return TopologyView((Node(self.flow, "Greeting"), Node(self.service)), (Edge(self.flow, self.service, "calls"),), "postgres", AT)

    def impact(self, kind: str, name: str, depth: int) -> Impact:
        if (kind, name) != (self.service.kind, self.service.name):
            raise NodeNotFound(kind, name)
        return Impact(self.service, depth, (Affected(self.flow, 1, (self.service, self.flow)),), False, "postgres")


@dataclass
class FakeSnapshot:
    """What a background watcher saw last."""

    value: dict[str, Any]

    def snapshot(self) -> dict[str, Any]:
        return self.value


def closed_breakers() -> Breakers:
    """One closed breaker."""
    breakers = Breakers(FakeClock())
    breakers.of("database:postgres")
    return breakers


def recovery(recovery_id: str = "recovery-1", target: str = "database:clickhouse") -> RecoveryView:
    """One recovery that was tried once and is pending."""
    tried = Attempt(1, "reconnect_database", "worker-1", AttemptOutcome.FAILED, AT, AT, "It cannot be reached")
    return RecoveryView(
        id=recovery_id,
        target=target,
        status=RecoveryStatus.PENDING,
        fault_type="DATABASE_CONNECTION_ERROR",
        category="infrastructure",
        severity="high",
        source="clickhouse",
        fingerprint="v1-0",
        detail="ClickHouse cannot be reached",
        action="reconnect_database",
        broken_since=AT,
        recorded_at=AT,
        next_attempt_at=AT,
        completed_at=None,
        healed_by=None,
        attempt_count=1,
        attempts=(tried,),
        merged_ids=("recovery-2",),
    )


@dataclass
class FakeRecoveries:
    """Keeps what was left to workers; `known` are those that can be read."""

    known: dict[str, RecoveryView] = field(default_factory=lambda: {"recovery-1": recovery()})
    intended: list[tuple[Fault, Decision]] = field(default_factory=list)
    flows: set[str] = field(default_factory=set)
    asked: list[dict[str, Any]] = field(default_factory=list)
    under_way: Action | None = None
    full: bool = False

    def has_flow(self, fault: Fault) -> bool:
        return fault.type.value in self.flows

    def takes(self, fault: Fault) -> bool:
        return not fault.refused

    def find_action(self, fault: Fault) -> Action | None:
        return self.under_way

    def intend(self, fault: Fault, decision: Decision) -> str | None:
        if decision.strategy is not Strategy.DELAYED or self.full:
            return None
        self.intended.append((fault, decision))
        return "recovery-1"

    def get(self, recovery_id: str) -> RecoveryView:
        if recovery_id not in self.known:
            raise RecoveryNotFound("There is no recovery of this id")
        return self.known[recovery_id]

    def list_page(self, **asked: Any) -> RecoveryPage:
        self.asked.append(asked)
        return RecoveryPage(tuple(self.known.values()), len(self.known))


def pattern(text: str = "the cache at 10.0.0.7 is on fire") -> PatternView:
    """One pattern that was healed once."""
    facts = facts_of(classify(RuntimeError(text), source="redis"))
    sample = Sample(AT, facts.template, facts.error_class, "database:redis")
    tried = (Outcome(facts.fingerprint, Action.RETRY, evidence_of(success=True, duration_ms=100, at=AT)),)
    suggested = Suggestion(Action.NONE, "default", None, 1, automatic=True)
    related = (Related("v1-kin", 0.9, "the cache smokes", "UNKNOWN_ERROR"),)
    return PatternView(Pattern(facts, 7, AT, AT, (sample,), 1), tried, suggested, related, "postgres")


@dataclass
class FakePatterns:
    """Keeps what was observed, knows one pattern."""

    known: PatternView = field(default_factory=pattern)
    observed: list[Fault] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    learned: Action | None = None
    policy: RecoveryPolicy = field(default_factory=RecoveryPolicy)

    def classify(self, error: BaseException) -> Fault:
        return classify(error)

    def observe(self, fault: Fault) -> None:
        self.observed.append(fault)

    def find_learned(self, fault: Fault) -> Action | None:
        return self.learned

    def list_patterns(self, **asked: Any) -> PatternPage:
        self.asked.append(asked)
        return PatternPage((self.known,), 1)

    def get(self, fingerprint: str) -> PatternView:
        if fingerprint != self.known.pattern.facts.fingerprint:
            raise PatternNotFound("No pattern of this fingerprint was learned")
        return self.known


@dataclass
class FakeContainer:
    """Every service a view can ask for."""

    settings: Settings = field(default_factory=settings)
    clock: FakeClock = field(default_factory=FakeClock)
    poller: FakePoller = field(default_factory=FakePoller)
    databases: FakeDatabases = field(default_factory=FakeDatabases)
    configuration: FakeConfiguration = field(default_factory=FakeConfiguration)
    services: FakeServices = field(default_factory=FakeServices)
    flows: FakeFlows = field(default_factory=FakeFlows)
    executions: FakeExecutions = field(default_factory=FakeExecutions)
    analytics: FakeAnalytics = field(default_factory=FakeAnalytics)
    topology: FakeTopology = field(default_factory=FakeTopology)
    breakers: Breakers = field(default_factory=closed_breakers)
    recoveries: FakeRecoveries = field(default_factory=FakeRecoveries)
    patterns: FakePatterns = field(default_factory=FakePatterns)
    configuration_health: FakeSnapshot = field(default_factory=lambda: FakeSnapshot({"status": "healthy", "registered": True}))
    worker_health: FakeSnapshot = field(default_factory=lambda: FakeSnapshot({"status": "healthy", "queues": {}}))
    queries: Any = None
    breaker_sharing: Any = None
    breaker_control: BreakerControl = field(init=False)
    recovery: ImmediateRecovery = field(init=False)
    http: Any = None
    draining: bool = False
    started_at: float = 0.0
    cache: Cache = field(init=False)

    def __post_init__(self) -> None:
        self.cache = Cache([InProcessCache(self.clock)], self.clock)
        self.breaker_control = BreakerControl(self.breakers, lambda: [self.topology.service.name])
        self.recovery = ImmediateRecovery(self.breakers, self.clock)
