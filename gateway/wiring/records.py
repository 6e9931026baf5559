"""What is written down about requests, faults and recoveries, what is learned from it, and who depends on whom."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from config.settings import Settings
from gateway.analytics.clickhouse import ClickHouseEventStore
from gateway.analytics.postgres import PostgresEventStore
from gateway.analytics.service import Analytics
from gateway.clock import Clock
from gateway.databases.model import Role
from gateway.recovery.patterns.buffer import PatternBuffer
from gateway.recovery.patterns.index import PatternIndexes
from gateway.recovery.patterns.index_postgres import ExactIndex, PgvectorIndex, PointStore
from gateway.recovery.patterns.index_weaviate import WeaviateIndex
from gateway.recovery.patterns.learning import Learning
from gateway.recovery.patterns.postgres import PatternStore
from gateway.recovery.patterns.postgres_uploads import UploadStore
from gateway.recovery.patterns.service import Patterns
from gateway.recovery.patterns.upload import PatternUploads
from gateway.spool import FileSpool, default_directory
from gateway.topology.arangodb import ArangoGraphStore
from gateway.topology.catalogue import RegistryCatalogue
from gateway.topology.feeder import TopologyFeeder
from gateway.topology.postgres import PostgresGraphStore
from gateway.topology.service import Topology
from gateway.wiring.calls import Calls
from gateway.wiring.configuration import ConfigurationRoom

ANALYTICS_STATEMENT_SECONDS = 5.0  # counting many rows may take longer than what the house does otherwise
PATTERN_SPOOL_BYTES = 8 * 1024 * 1024  # a batch of patterns is a few KB


@dataclass(frozen=True)
class Records:
    """What happened, and what it teaches."""

    analytics: Analytics
    patterns: Patterns
    pattern_uploads: PatternUploads
    topology: Topology
    topology_feeder: TopologyFeeder


def build_records(settings: Settings, clock: Clock, calls: Calls, room: ConfigurationRoom) -> Records:
    """Each role with its first choice where that is configured, and its fallbacks behind it."""
    patterns = _build_patterns(settings, clock, calls)
    topology = _build_topology(calls)
    own = {database.name.value: database.role is Role.TRANSACTIONAL for database in calls.databases.configured}
    catalogue = RegistryCatalogue(room.services, room.flows)
    return Records(
        analytics=_build_analytics(settings, clock, calls),
        patterns=patterns,
        pattern_uploads=PatternUploads(UploadStore(calls.databases.postgres.transaction), room.registry, patterns.suggestion, clock),
        topology=topology,
        topology_feeder=TopologyFeeder(topology, catalogue, clock, gateway_name=settings.configuration.service_name, databases=own),
    )


def spool_directory(settings: Settings) -> Path:
    """Where the files lie that take what PostgreSQL cannot."""
    named = settings.analytics.spool_directory
    return Path(named) if named else default_directory(settings.postgres.sqlalchemy_url)


def _build_analytics(settings: Settings, clock: Clock, calls: Calls) -> Analytics:
    """ClickHouse when it is configured, PostgreSQL behind it as spool and fallback, the local file behind both."""
    options, databases = settings.analytics, calls.databases
    postgres = PostgresEventStore(partial(databases.postgres.transaction, statement_timeout_seconds=ANALYTICS_STATEMENT_SECONDS))
    clickhouse = [ClickHouseEventStore(databases.clickhouse.commands)] if databases.clickhouse.configured else []
    return Analytics(
        [*clickhouse, postgres],
        FileSpool(spool_directory(settings), "analytics", options.spool_max_bytes),
        calls.breakers,
        clock,
        doubts=calls.guards.doubts,
        backlog=postgres if clickhouse else None,
        buffer_events=options.buffer_events,
        flush_seconds=options.flush_seconds,
        retention_days=options.retention_days,
    )


def _build_patterns(settings: Settings, clock: Clock, calls: Calls) -> Patterns:
    """Weaviate when it is configured, pgvector behind it, the exact fingerprint behind both."""
    transaction, weaviate = calls.databases.postgres.transaction, calls.databases.weaviate
    buffer, store = PatternBuffer(), PatternStore(transaction)
    spool = FileSpool(spool_directory(settings), "patterns", PATTERN_SPOOL_BYTES)
    first = WeaviateIndex(weaviate.commands) if weaviate.configured else None
    local = [PgvectorIndex(transaction), ExactIndex(transaction)]
    return Patterns(
        buffer=buffer,
        learning=Learning(buffer, store, spool, calls.breakers, clock),
        store=store,
        indexes=PatternIndexes(first, local, PointStore(transaction), store, calls.breakers, doubts=calls.guards.doubts),
        clock=clock,
        policy=calls.recovery.policy,
        explore_share=settings.recovery.explore_share,
    )


def _build_topology(calls: Calls) -> Topology:
    """ArangoDB when it is configured, PostgreSQL behind it."""
    databases = calls.databases
    arangodb = [ArangoGraphStore(databases.arangodb.commands)] if databases.arangodb.configured else []
    return Topology([*arangodb, PostgresGraphStore(databases.postgres.transaction)], calls.breakers, calls.guards.doubts)
