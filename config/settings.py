"""Settings: the only reader of the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self, get_type_hints

from config.databases import (
    ArangoSettings,
    ClickHouseSettings,
    DragonflySettings,
    PollerSettings,
    PostgresSettings,
    RedisSettings,
    WeaviateSettings,
)
from config.groups import (
    AnalyticsSettings,
    CacheSettings,
    ConfigServiceSettings,
    ConfigurationSettings,
    EdgeSettings,
    ProcessSettings,
    WebSettings,
    WorkerSettings,
)
from config.recovery import RecoverySettings
from config.variables import Group, SettingsError

__all__ = ["Settings", "SettingsError", "local_url"]

LOOPBACK = ("127.0.0.1", "::1", "localhost")
EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing is bound: what reaches a server that binds all of them


@dataclass(frozen=True)
class Settings:
    """Everything a process was told, checked once at its start. Never holds a connection."""

    process: ProcessSettings
    web: WebSettings
    edge: EdgeSettings
    configuration: ConfigurationSettings
    worker: WorkerSettings
    cache: CacheSettings
    analytics: AnalyticsSettings
    recovery: RecoverySettings
    config_service: ConfigServiceSettings
    postgres: PostgresSettings
    dragonfly: DragonflySettings
    redis: RedisSettings
    clickhouse: ClickHouseSettings
    weaviate: WeaviateSettings
    arango: ArangoSettings
    poller: PollerSettings

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read every group from `environment` (the process's own by default).

        Raises:
            SettingsError: a variable is set but unusable, or two of them contradict each other.
        """
        source = os.environ if environment is None else environment
        values: dict[str, Any] = {name: group.read(source) for name, group in groups().items()}
        settings = cls(**values)
        settings._refuse_open_doors()
        return settings

    @classmethod
    def at_start(cls) -> Self:
        """The process's own settings, or its end with the one line that names the unusable variable."""
        try:
            return cls.from_environment()
        except SettingsError as error:
            raise SystemExit(str(error)) from None

    def _refuse_open_doors(self) -> None:
        if self.web.host not in LOOPBACK and not self.edge.tokens:
            raise SettingsError(f"BIND_HOST: {self.web.host} is not loopback, and an open gateway binds loopback only; set GATEWAY_TOKENS")
        if self.config_service.host not in LOOPBACK and not self.configuration.token:
            raise SettingsError(f"CONFIG_SERVICE_HOST: {self.config_service.host} is not loopback; set CONFIG_SERVICE_TOKEN")

    @property
    def broker_url(self) -> str | None:
        """Celery's broker: DragonflyDB, or the legacy Redis when only that one is configured (Heroku's REDIS_URL)."""
        return self.dragonfly.redis_url or self.redis.redis_url

    @property
    def config_service_database_url(self) -> str | None:
        """SQLAlchemy URL of the Configuration Service's own PostgreSQL."""
        own = self.config_service.database_url
        return PostgresSettings.read({"DATABASE_URL": own.get_secret_value()}).sqlalchemy_url if own else self.postgres.sqlalchemy_url


def local_url(host: str, port: int) -> str:
    """Where a server that binds `host` is reached on its own machine."""
    reached = EVERY_ADDRESS.get(host, host)
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def groups() -> dict[str, type[Group]]:
    """The groups by their name in Settings, in the order of the manual."""
    hints = get_type_hints(Settings)
    return {field.name: hints[field.name] for field in fields(Settings)}
