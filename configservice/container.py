"""The parts of the service, wired once for each app."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from flask import current_app

from config.settings import Settings
from configservice.configuration.store import ConfigurationStore
from configservice.configuration.watching import Watchers
from configservice.database import Database
from configservice.flows.dependencies import DependencyStore
from configservice.flows.executions import ExecutionStore
from configservice.flows.statistics import StatisticsStore
from configservice.flows.store import FlowStore
from configservice.services.store import ServiceStore

EXTENSION = "configservice"


@dataclass(frozen=True)
class Parts:
    """What the views call."""

    settings: Settings
    started_at: datetime
    database: Database
    configuration: ConfigurationStore
    watchers: Watchers
    services: ServiceStore
    flows: FlowStore
    dependencies: DependencyStore
    executions: ExecutionStore
    statistics: StatisticsStore


def build_parts(settings: Settings) -> Parts:
    """Wire the parts; opens no connection."""
    database = Database(settings)
    configuration = ConfigurationStore(database, settings.config_service.kept_versions)
    flows = FlowStore(database)
    return Parts(
        settings=settings,
        started_at=datetime.now(UTC),
        database=database,
        configuration=configuration,
        watchers=Watchers(configuration, capacity=max(1, settings.config_service.threads // 2)),
        services=ServiceStore(database, settings.config_service.default_ttl_seconds),
        flows=flows,
        dependencies=DependencyStore(database),
        executions=ExecutionStore(database, settings.config_service.kept_days),
        statistics=StatisticsStore(database),
    )


def parts() -> Parts:
    """The parts of the app that serves the current request."""
    return cast(Parts, current_app.extensions[EXTENSION])
