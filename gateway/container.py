"""The container: the services of one process, and their common start and end. The parts are wired in `gateway/wiring/`."""

import threading
from dataclasses import dataclass, field

from config.settings import Settings
from gateway.analytics.service import Analytics
from gateway.caching.service import Cache
from gateway.clock import Clock, SystemClock
from gateway.configuration.flows import Flows
from gateway.configuration.health import ConfigurationHealth
from gateway.configuration.registration import Registration
from gateway.configuration.service import Configuration, Services
from gateway.configuration.upkeep import Upkeep
from gateway.configuration.uploads import FlowUploads
from gateway.databases.poller import Poller
from gateway.databases.pool import Databases
from gateway.databases.postgres import Postgres
from gateway.databases.service import QueryService
from gateway.executions.service import Executions
from gateway.outbound.client import HttpClient
from gateway.outbox.health import WorkerHealth
from gateway.outbox.relay import Relay
from gateway.outbox.service import Outbox
from gateway.recovery.guards import DatabaseGuards
from gateway.recovery.immediate import ImmediateRecovery
from gateway.recovery.ledger.service import Recoveries
from gateway.recovery.operating import BreakerControl
from gateway.recovery.patterns.service import Patterns
from gateway.recovery.patterns.upload import PatternUploads
from gateway.recovery.registry import Breakers
from gateway.recovery.sharing import BreakerSharing
from gateway.topology.feeder import TopologyFeeder
from gateway.topology.service import Topology
from gateway.wiring.calls import build_calls, build_messages
from gateway.wiring.configuration import build_configuration
from gateway.wiring.records import build_records
from gateway.wiring.running import build_running


@dataclass(frozen=True)
class Container:
    """The services of one process. `start` (web) or `start_worker` begin what runs in the background; `stop` ends it."""

    settings: Settings
    clock: Clock
    started_at: float
    databases: Databases
    guards: DatabaseGuards
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
    calls = build_calls(settings, clock)
    messages = build_messages(settings, clock, calls)
    room = build_configuration(settings, clock, calls, messages)
    records = build_records(settings, clock, calls, room)
    running = build_running(settings, clock, calls=calls, messages=messages, room=room, records=records)
    return Container(
        settings=settings,
        clock=clock,
        started_at=clock.monotonic(),
        **vars(calls),
        **vars(messages),
        **vars(records),
        **vars(running),
        breaker_control=BreakerControl(calls.breakers, lambda: (each.name for each in room.services.list_services().value)),
        configuration=room.configuration,
        services=room.services,
        flows=room.flows,
        uploads=room.uploads,
        registration=room.registration,
        configuration_health=room.health,
        upkeep=room.upkeep,
        queries=QueryService(calls.databases, clock, calls.guards.reading(calls.recovery)),
    )
