"""What every call to a dependency goes through: databases behind breakers, who watches them, HTTP, the layer that repeats."""

from dataclasses import dataclass

from config.secrets import FileSecret
from config.settings import Settings
from gateway.caching.service import Cache, build_cache
from gateway.clock import Clock
from gateway.databases.model import DatabaseName
from gateway.databases.poller import Poller
from gateway.databases.pool import Databases
from gateway.outbound.client import HttpClient
from gateway.outbox.celery import CelerySender
from gateway.outbox.health import WorkerHealth
from gateway.outbox.relay import Relay
from gateway.outbox.service import Outbox
from gateway.recovery.credentials import Credentials, renewing, renewing_looks
from gateway.recovery.dragonfly import DragonflyBreakerStore
from gateway.recovery.guards import DatabaseGuards
from gateway.recovery.immediate import ImmediateRecovery
from gateway.recovery.policy import policy_allowing
from gateway.recovery.registry import Breakers
from gateway.recovery.sharing import BreakerSharing
from gateway.targets import CONFIGURATION_SERVICE, DATABASE, database_target, kind_of, name_of

OUTBOUND_CONNECTIONS = 16  # per called host and process: as many threads as a process may have at work


@dataclass(frozen=True)
class Calls:
    """The ways out of a process."""

    databases: Databases
    guards: DatabaseGuards
    breakers: Breakers
    breaker_sharing: BreakerSharing | None
    recovery: ImmediateRecovery
    poller: Poller
    http: HttpClient
    cache: Cache


@dataclass(frozen=True)
class Messages:
    """The way to the workers, and whether they consume."""

    relay: Relay
    outbox: Outbox
    worker_health: WorkerHealth


def build_calls(settings: Settings, clock: Clock) -> Calls:
    """Every configured database and the Configuration Service have their breaker from the start."""
    breakers = Breakers(clock)
    guards = DatabaseGuards(breakers, clock, settings.web.threads)
    credentials = Credentials(secrets_by_target(settings), lambda target: _close(databases, target))
    databases = Databases(settings, renewing(guards.around, credentials))
    for target in (*(database_target(database.name) for database in databases.configured), CONFIGURATION_SERVICE):
        breakers.of(target)
    poller = Poller(databases, settings.poller, clock, guards.state, renewing_looks(guards.saw, credentials))
    guards.looker = poller
    store = databases.dragonflydb
    return Calls(
        databases=databases,
        guards=guards,
        breakers=breakers,
        breaker_sharing=BreakerSharing(breakers, DragonflyBreakerStore(store.unguarded_commands), clock) if store.configured else None,
        recovery=ImmediateRecovery(breakers, clock, credentials=credentials, policy=policy_allowing(settings.recovery.actions)),
        poller=poller,
        http=HttpClient(OUTBOUND_CONNECTIONS, clock),
        cache=build_cache(settings, clock),
    )


def secrets_by_target(settings: Settings) -> dict[str, list[FileSecret]]:
    """The credentials that stand in files, by whom they are for."""
    secrets = {
        database_target(DatabaseName.POSTGRES): [settings.postgres.password],
        database_target(DatabaseName.DRAGONFLYDB): [settings.dragonfly.password],
        database_target(DatabaseName.REDIS): [settings.redis.password],
        database_target(DatabaseName.CLICKHOUSE): [settings.clickhouse.password],
        database_target(DatabaseName.WEAVIATE): [settings.weaviate.api_key],
        database_target(DatabaseName.ARANGODB): [settings.arango.password],
        CONFIGURATION_SERVICE: [settings.configuration.token, settings.configuration.api_key],
    }
    return {target: [secret for secret in each if isinstance(secret, FileSecret)] for target, each in secrets.items()}


def _close(databases: Databases, target: str) -> None:
    """The next use opens connections with the credentials of then. Those of the Configuration Service go with each request."""
    if kind_of(target) == DATABASE:
        databases.get(name_of(target)).close()


def build_messages(settings: Settings, clock: Clock, calls: Calls) -> Messages:
    """The outbox in PostgreSQL and the one sender to the broker."""
    postgres = calls.databases.postgres
    relay = Relay(postgres, CelerySender(settings.broker_url), clock)
    return Messages(relay, Outbox(postgres, relay, clock), WorkerHealth(postgres, clock))
