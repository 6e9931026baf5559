"""The one place where real parts are wired together. Building a container opens no connection and starts no thread."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.settings import Settings
from gateway.analytics.clickhouse import ClickHouseEventStore
from gateway.analytics.faults import fault_event
from gateway.analytics.postgres import PostgresEventStore
from gateway.analytics.service import Analytics
from gateway.caching.service import Cache, build_cache
from gateway.clock import Clock, SystemClock
from gateway.configuration.avoiding import AvoidedInstances
from gateway.configuration.client import ConfigurationServiceClient
from gateway.configuration.copies import Copies
from gateway.configuration.flow_registry import FlowRegistryClient
from gateway.configuration.flows import Flows
from gateway.configuration.health import ConfigurationHealth, Waiting
from gateway.configuration.reader import Reader
from gateway.configuration.registration import Registration
from gateway.configuration.reports import FlowReports
from gateway.configuration.service import Configuration, Services
from gateway.configuration.shared import SharedCopies
from gateway.configuration.transport import Transport
from gateway.configuration.upkeep import Upkeep
from gateway.configuration.uploads import FlowUploads
from gateway.databases.model import Role
from gateway.databases.poller import Poller
from gateway.databases.pool import Databases
from gateway.databases.postgres import Postgres
from gateway.databases.service import QueryService
from gateway.executions.service import Executions, worker_name
from gateway.outbound.client import HttpClient
from gateway.outbox.celery import CelerySender
from gateway.outbox.health import WorkerHealth
from gateway.outbox.relay import Relay
from gateway.outbox.service import Outbox
from gateway.recovery.classify import classify
from gateway.recovery.dragonfly import DragonflyBreakerStore
from gateway.recovery.guards import DatabaseGuards, read_recovery
from gateway.recovery.immediate import ImmediateRecovery
from gateway.recovery.ledger.flows import RunFlow
from gateway.recovery.ledger.service import Recoveries, recovery_event
from gateway.recovery.ledger.strategies import strategies
from gateway.recovery.model import RECOVERY, Action, Fault
from gateway.recovery.operating import BreakerControl
from gateway.recovery.patterns.buffer import PatternBuffer
from gateway.recovery.patterns.index import PatternIndexes
from gateway.recovery.patterns.index_postgres import ExactIndex, PgvectorIndex, PointStore
from gateway.recovery.patterns.index_weaviate import WeaviateIndex
from gateway.recovery.patterns.learning import Learning
from gateway.recovery.patterns.postgres import PatternStore
from gateway.recovery.patterns.postgres_uploads import UploadStore
from gateway.recovery.patterns.service import Patterns
from gateway.recovery.patterns.upload import PatternUploads
from gateway.recovery.policy import RecoveryPolicy
from gateway.recovery.registry import Breakers
from gateway.recovery.sharing import BreakerSharing
from gateway.recovery.targets import CONFIGURATION_SERVICE
from gateway.spool import FileSpool, default_directory
from gateway.topology.arangodb import ArangoGraphStore
from gateway.topology.catalogue import RegistryCatalogue
from gateway.topology.feeder import TopologyFeeder
from gateway.topology.postgres import PostgresGraphStore
from gateway.topology.service import Topology

RECOVERY_SPOOL_BYTES = 8 * 1024 * 1024  # intents are a few hundred bytes, and one for each target
PATTERN_SPOOL_BYTES = 8 * 1024 * 1024  # a batch of patterns is a few KB
ALWAYS_ALLOWED = frozenset({Action.WAIT, Action.CORRECT_REQUEST, Action.NONE})  # nothing is done
OUTBOUND_CONNECTIONS = 16  # per called host and process: as many threads as a process may have at work


@dataclass(frozen=True)
class Container:
    """The services of one process. `start` (web) or `start_worker` begin what runs in the background; `stop` ends it."""

    settings: Settings
    clock: Clock
    started_at: float
    databases: Databases
    poller: Poller
    breakers: Breakers
    breaker_control: BreakerControl
    breaker_sharing: BreakerSharing | None
    recovery: ImmediateRecovery
    cache: Cache
    http: HttpClient
    relay: Relay
    outbox: Outbox
    worker_health: WorkerHealth
    configuration: Configuration
    services: Services
    flows: Flows
    uploads: FlowUploads
    registration: Registration
    configuration_health: ConfigurationHealth
    upkeep: Upkeep
    executions: Executions
    analytics: Analytics
    topology: Topology
    topology_feeder: TopologyFeeder
    queries: QueryService
    recoveries: Recoveries
    patterns: Patterns
    pattern_uploads: PatternUploads
    _draining: threading.Event = field(default_factory=threading.Event)

    @property
    def postgres(self) -> Postgres:
        """The transactional truth."""
        return self.databases.postgres

    @property
    def draining(self) -> bool:
        """Whether this process was told to leave: `/readyz` says so, everything else still answers."""
        return self._draining.is_set()

    def start(self) -> None:
        """Begin what a web process does in the background. Call it after a fork, in the process that serves."""
        self.poller.start()
        self.configuration_health.start()
        self.registration.start()
        self.worker_health.start()
        self.recoveries.start(watching=True)
        self._start_common()

    def settle(self, timeout_seconds: float) -> None:
        """Wait until every database was looked at once. A web process that accepts before that would call them all down."""
        self.poller.wait_until_seen(timeout_seconds)

    def start_worker(self) -> None:
        """Begin what a Celery process does in the background. Call it in the forked child."""
        self.recoveries.start(watching=False)
        self._start_common()

    def begin_drain(self, *, leaving: bool) -> None:
        """Turn `/readyz` to 503 and give the registration up: the whole gateway leaves.

        A process that a rolling restart replaces (`leaving` False) stays ready to its end: its successors serve the same address.
        """
        if leaving:
            self._draining.set()
        self.executions.release_waiters()  # a wait may be as long as the grace that a stopping process has
        if leaving:
            self.registration.leave()

    def stop(self) -> None:
        """End the background work and close every connection. What waits is written down first."""
        self.executions.stop()
        self.registration.stop()
        self.configuration_health.stop()
        self.worker_health.stop()
        self.poller.stop()
        self.upkeep.stop()
        self.recoveries.stop()
        self.analytics.stop()
        self.patterns.stop()
        self.relay.stop()
        if self.breaker_sharing:
            self.breaker_sharing.stop()
        self.http.close()
        self.cache.close()
        self.databases.close()

    def _start_common(self) -> None:
        if self.breaker_sharing:
            self.breaker_sharing.start()
        self.relay.start()
        self.upkeep.start()
        self.analytics.start()
        self.patterns.start()


def build_container(settings: Settings, clock: Clock | None = None) -> Container:
    """Wire the parts of one process. Opens nothing: each part connects when it is first used."""
    clock = clock or SystemClock()
    calls = _build_calls(settings, clock)
    databases, breakers, recovery = calls["databases"], calls["breakers"], calls["recovery"]
    cache = build_cache(settings, clock)
    http, poller = calls["http"], calls["poller"]
    messages = _build_messages(settings, clock, databases.postgres)
    outbox = messages["outbox"]
    avoided = AvoidedInstances()
    configuration, registry, reports = _build_configuration(
        settings, clock, http, databases.postgres, outbox, cache=cache, avoided=avoided, recovery=recovery
    )
    records = _build_records(settings, clock, databases, breakers, registry)
    running = _build_running(
        settings,
        clock,
        recovery=recovery,
        databases=databases,
        http=http,
        outbox=outbox,
        configuration=configuration,
        reports=reports,
        avoided=avoided,
        poller=poller,
        records=records,
    )
    breakers.listen(running["recoveries"].breaker_changed)
    return Container(
        settings=settings,
        clock=clock,
        started_at=clock.monotonic(),
        breaker_control=BreakerControl(breakers, lambda: (each.name for each in configuration["services"].list_services().value)),
        cache=cache,
        queries=QueryService(databases, clock, read_recovery(recovery)),
        **calls,
        **_build_topology(settings, clock, databases, breakers, configuration),
        **messages,
        **configuration,
        **records,
        **running,
    )


def _build_calls(settings: Settings, clock: Clock) -> dict[str, Any]:
    """What calls go through: databases behind breakers, who watches them, HTTP, the layer that repeats. By their names in Container."""
    breakers = Breakers(clock)
    guards = DatabaseGuards(breakers)
    databases = Databases(settings, guards.around)
    for target in (*(f"database:{database.name}" for database in databases.configured), CONFIGURATION_SERVICE):
        breakers.of(target)
    store = databases.dragonflydb
    sharing = BreakerSharing(breakers, DragonflyBreakerStore(store.unguarded_commands), clock) if store.configured else None
    return {
        "breakers": breakers,
        "databases": databases,
        "breaker_sharing": sharing,
        "recovery": ImmediateRecovery(breakers, clock),
        "poller": Poller(databases, settings.poller, clock, guards.state, guards.saw),
        "http": HttpClient(OUTBOUND_CONNECTIONS, clock),
    }


def _build_messages(settings: Settings, clock: Clock, postgres: Postgres) -> dict[str, Any]:
    """The way to the workers, and whether they consume, by their names in Container."""
    relay = Relay(postgres, CelerySender(settings.broker_url), clock)
    return {"relay": relay, "outbox": Outbox(postgres, relay, clock), "worker_health": WorkerHealth(postgres, clock)}


def _build_running(
    settings: Settings,
    clock: Clock,
    *,
    recovery: ImmediateRecovery,
    databases: Databases,
    http: HttpClient,
    outbox: Outbox,
    configuration: dict[str, Any],
    reports: FlowReports,
    avoided: AvoidedInstances,
    poller: Poller,
    records: dict[str, Any],
) -> dict[str, Any]:
    """What workers carry out, flows and recoveries, by their names in Container: each of the two leaves work to the other."""
    flows, services = configuration["flows"], configuration["services"]
    analytics, patterns = records["analytics"], records["patterns"]

    def on_fault(fault: Fault, triggered_by: str) -> None:
        analytics.record_fault(fault_event(fault, clock.now()))
        patterns.observe(fault)
        if triggered_by != RECOVERY:  # what fails while recovering asks for no recovery of its own
            recoveries.consider(fault)

    executions = Executions(
        outbox=outbox,
        flows=flows,
        services=services,
        http=http,
        reports=reports,
        classify=classify,
        on_fault=on_fault,
        clock=clock,
        settings=settings.worker,
        recovery=recovery,
    )
    recoveries = Recoveries(
        outbox=outbox,
        spool=FileSpool(_spool_directory(settings), "recoveries", RECOVERY_SPOOL_BYTES),
        flows=flows,
        strategies=strategies(databases, services, http, clock, RunFlow(flows, executions, clock)),
        snapshot=poller.snapshot,
        on_avoid=avoided.replace,
        on_ended=[lambda ended: analytics.record_recovery(recovery_event(ended)), patterns.recovery_ended],
        clock=clock,
        settings=settings.recovery,
        worker=worker_name(),
        policy=patterns.policy,
    )
    return {"executions": executions, "recoveries": recoveries}


def _build_configuration(
    settings: Settings,
    clock: Clock,
    http: HttpClient,
    postgres: Postgres,
    outbox: Outbox,
    *,
    cache: Cache,
    avoided: AvoidedInstances,
    recovery: ImmediateRecovery,
) -> tuple[dict[str, Any], FlowRegistryClient, FlowReports]:
    """The configuration room: its services by their name in Container, the registry's client, and what tells it of executions."""
    options = settings.configuration
    transport = Transport(http, options, clock, recovery)
    client, registry = ConfigurationServiceClient(transport), FlowRegistryClient(transport)
    copies = Copies(postgres, clock)
    reader = Reader(copies, wait_seconds=options.timeout_seconds, shared=SharedCopies(cache, options, clock))
    uploads = FlowUploads(registry, copies, outbox, clock)
    waiting = Waiting()
    registration = Registration(client, options, port=settings.web.port, depends_on=_own_databases(settings))
    health = ConfigurationHealth(client, transport.offers, options, clock, registration=registration, waiting=waiting)
    services = {
        "configuration": Configuration(client, reader, options),
        "services": Services(client, reader, options, avoided),
        "flows": Flows(registry, reader, copies, uploads, options),
        "uploads": uploads,
        "registration": registration,
        "configuration_health": health,
        "upkeep": Upkeep(copies, uploads, waiting, clock),
    }
    return services, registry, FlowReports(registry, uploads)


def _build_records(
    settings: Settings, clock: Clock, databases: Databases, breakers: Breakers, registry: FlowRegistryClient
) -> dict[str, Any]:
    """What is written down about requests, faults and recoveries, and what is learned from it, by name in Container."""
    analytics = _build_analytics(settings, clock, databases, breakers)
    return {"analytics": analytics, **_build_patterns(settings, clock, databases, breakers, registry)}


def _build_analytics(settings: Settings, clock: Clock, databases: Databases, breakers: Breakers) -> Analytics:
    """ClickHouse when it is configured, PostgreSQL behind it as spool and fallback, the local file behind both."""
    options = settings.analytics
    postgres = PostgresEventStore(databases.postgres.transaction)
    clickhouse = [ClickHouseEventStore(databases.clickhouse.commands)] if databases.clickhouse.configured else []
    return Analytics(
        [*clickhouse, postgres],
        FileSpool(_spool_directory(settings), "analytics", options.spool_max_bytes),
        breakers,
        clock,
        backlog=postgres if clickhouse else None,
        buffer_events=options.buffer_events,
        flush_seconds=options.flush_seconds,
        retention_days=options.retention_days,
    )


def _build_patterns(
    settings: Settings, clock: Clock, databases: Databases, breakers: Breakers, registry: FlowRegistryClient
) -> dict[str, Any]:
    """What faults teach, by name in Container. Weaviate when it is configured, pgvector behind it, the exact fingerprint behind both."""
    transaction = databases.postgres.transaction
    buffer, store = PatternBuffer(), PatternStore(transaction)
    spool = FileSpool(_spool_directory(settings), "patterns", PATTERN_SPOOL_BYTES)
    weaviate = WeaviateIndex(databases.weaviate.commands) if databases.weaviate.configured else None
    local = [PgvectorIndex(transaction), ExactIndex(transaction)]
    patterns = Patterns(
        buffer=buffer,
        learning=Learning(buffer, store, spool, breakers, clock),
        store=store,
        indexes=PatternIndexes(weaviate, local, PointStore(transaction), store, breakers),
        clock=clock,
        policy=RecoveryPolicy(allowed=frozenset(map(Action, settings.recovery.actions)) | ALWAYS_ALLOWED),
    )
    return {"patterns": patterns, "pattern_uploads": PatternUploads(UploadStore(transaction), registry, patterns.suggestion, clock)}


def _build_topology(
    settings: Settings, clock: Clock, databases: Databases, breakers: Breakers, configuration: dict[str, Any]
) -> dict[str, Any]:
    """ArangoDB when it is configured, PostgreSQL behind it; and what keeps it fresh. By their names in Container."""
    arangodb = [ArangoGraphStore(databases.arangodb.commands)] if databases.arangodb.configured else []
    catalogue = RegistryCatalogue(configuration["services"], configuration["flows"])
    topology = Topology([*arangodb, PostgresGraphStore(databases.postgres.transaction)], breakers)
    own = {database.name.value: database.role is Role.TRANSACTIONAL for database in databases.configured}
    feeder = TopologyFeeder(topology, catalogue, clock, gateway_name=settings.configuration.service_name, databases=own)
    return {"topology": topology, "topology_feeder": feeder}


def _spool_directory(settings: Settings) -> Path:
    return Path(settings.analytics.spool_directory) if settings.analytics.spool_directory else default_directory()


def _own_databases(settings: Settings) -> list[str]:
    """What the gateway itself depends on, for the service graph."""
    return [f"database:{database.name}" for database in Databases(settings).configured]
