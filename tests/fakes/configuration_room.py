"""The whole configuration room wired as the container wires it, for tests that run it against one service or another."""

from dataclasses import dataclass

from config.groups import ConfigurationSettings
from config.settings import Settings
from gateway.caching.service import Cache
from gateway.clock import Clock
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
from gateway.databases.postgres import Postgres
from gateway.outbound.client import HttpClient
from gateway.outbox.relay import Relay
from gateway.outbox.service import Outbox
from gateway.recovery.guards import DatabaseGuards
from gateway.recovery.registry import Breakers


class NoRelay:
    """A relay that nobody runs: what is rung stays in the outbox, where a test can count it."""

    def wake(self) -> None:
        """Nothing to wake."""


@dataclass
class Room:
    """Every part of it."""

    settings: ConfigurationSettings
    http: HttpClient
    postgres: Postgres
    transport: Transport
    client: ConfigurationServiceClient
    registry: FlowRegistryClient
    copies: Copies
    configuration: Configuration
    services: Services
    uploads: FlowUploads
    flows: Flows
    reports: FlowReports
    registration: Registration
    health: ConfigurationHealth
    upkeep: Upkeep

    def close(self) -> None:
        """Let go of every connection."""
        self.http.close()
        self.postgres.close()


def build_room(
    url: str,
    clock: Clock,
    *,
    postgres_url: str | None = None,
    cache: Cache | None = None,
    wait_seconds: float = 5.0,
    **variables: str,
) -> Room:
    """A room that speaks to the service at `url`; without `postgres_url` there is no PostgreSQL, without `cache` nothing is shared.

    `wait_seconds`: how long callers wait for one that asks already; long, because the machine may be slow.
    """
    environment = {"FLOW_REGISTRY_URL": url, **({"DATABASE_URL": postgres_url} if postgres_url else {}), **variables}
    settings = Settings.from_environment(environment)
    own = settings.configuration
    http = HttpClient(8, clock)
    postgres = Postgres(settings.postgres, DatabaseGuards(Breakers(clock), clock).around)
    transport = Transport(http, own, clock)
    client, registry = ConfigurationServiceClient(transport), FlowRegistryClient(transport)
    copies = Copies(postgres, clock)
    reader = Reader(copies, clock, wait_seconds=wait_seconds, shared=SharedCopies(cache, own, clock) if cache else None)
    relay: Relay = NoRelay()  # type: ignore[assignment]  # only wake() is called
    uploads = FlowUploads(registry, copies, Outbox(postgres, relay, clock), clock)
    waiting = Waiting()
    registration = Registration(client, own, port=settings.web.port, depends_on=("postgres",))
    return Room(
        settings=own,
        http=http,
        postgres=postgres,
        transport=transport,
        client=client,
        registry=registry,
        copies=copies,
        configuration=Configuration(client, reader, own),
        services=Services(client, reader, own),
        uploads=uploads,
        flows=Flows(registry, reader, copies, uploads, own),
        reports=FlowReports(registry, uploads),
        registration=registration,
        health=ConfigurationHealth(client, transport.offers, own, clock, registration=registration, waiting=waiting),
        upkeep=Upkeep(copies, uploads, waiting, clock),
    )
