"""The configuration room: client of the Configuration Service and Flow Registry, its copies, and the gateway's own registration."""

from dataclasses import dataclass

from config.settings import Settings
from gateway.clock import Clock
from gateway.configuration.avoiding import AvoidedInstances
from gateway.configuration.client import ConfigurationServiceClient
from gateway.configuration.copies import Copies
from gateway.configuration.flow_registry import FlowRegistryClient
from gateway.configuration.flows import Flows
from gateway.configuration.health import ConfigurationHealth, Waiting
from gateway.configuration.patience import SHORT_SECONDS
from gateway.configuration.reader import Reader
from gateway.configuration.registration import Registration
from gateway.configuration.reports import FlowReports
from gateway.configuration.service import Configuration, Services
from gateway.configuration.shared import SharedCopies
from gateway.configuration.transport import Transport
from gateway.configuration.upkeep import Upkeep
from gateway.configuration.uploads import FlowUploads
from gateway.targets import database_target
from gateway.wiring.calls import Calls, Messages


@dataclass(frozen=True)
class ConfigurationRoom:
    """Its services, and the two parts of it that other groups need."""

    configuration: Configuration
    services: Services
    flows: Flows
    uploads: FlowUploads
    registration: Registration
    health: ConfigurationHealth
    upkeep: Upkeep
    registry: FlowRegistryClient
    reports: FlowReports
    avoided: AvoidedInstances


def build_configuration(settings: Settings, clock: Clock, calls: Calls, messages: Messages) -> ConfigurationRoom:
    """Reads go to this process's copies, the shared cache, the service, and last to the rows in PostgreSQL."""
    options, avoided = settings.configuration, AvoidedInstances()
    transport = Transport(calls.http, options, clock, calls.recovery)
    client, registry = ConfigurationServiceClient(transport), FlowRegistryClient(transport)
    copies = Copies(calls.databases.postgres, clock)
    reader = Reader(copies, clock, wait_seconds=SHORT_SECONDS, shared=SharedCopies(calls.cache, options, clock))
    uploads = FlowUploads(registry, copies, messages.outbox, clock)
    waiting = Waiting()
    needs = [database_target(database.name) for database in calls.databases.configured]
    registration = Registration(client, options, port=settings.web.port, depends_on=needs)
    return ConfigurationRoom(
        configuration=Configuration(client, reader, options),
        services=Services(client, reader, options, avoided),
        flows=Flows(registry, reader, copies, uploads, options),
        uploads=uploads,
        registration=registration,
        health=ConfigurationHealth(client, transport.offers, options, clock, registration=registration, waiting=waiting),
        upkeep=Upkeep(copies, uploads, waiting, clock),
        registry=registry,
        reports=FlowReports(registry, uploads),
        avoided=avoided,
    )
