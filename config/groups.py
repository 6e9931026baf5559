"""The groups of settings: process, edge, Configuration Service and workers. Databases stand in `databases.py`."""

import re
from typing import Literal

from config.reading import http_url, read_text
from config.secrets import Secret
from config.variables import Group, variable

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


def _log_level(text: str) -> str:
    return str(read_text(text.upper(), LogLevel))


def _key_part(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", text):
        raise ValueError("must be 1 to 64 of the characters A-Z a-z 0-9 . _ -")
    return text


class ProcessSettings(Group):
    """What every process shares."""

    environment: str = variable("ENVIRONMENT", default="development", meaning="Name of the deployment; `production` switches logs to JSON")
    log_level: LogLevel = variable("LOG_LEVEL", default="INFO", read=_log_level, meaning="Least severe level that is logged")
    log_format: Literal["auto", "json", "console"] = variable(
        "LOG_FORMAT", default="auto", meaning="`json`, `console`, or `auto`: console on a terminal, JSON elsewhere"
    )


class WebSettings(Group):
    """The gateway's web process."""

    host: str = variable("BIND_HOST", default="127.0.0.1", meaning="Address to bind; anything but loopback needs GATEWAY_TOKENS")
    port: int = variable("PORT", default=3001, unit="port", ge=1, le=65535, meaning="Port to listen on")
    processes: int = variable("WEB_CONCURRENCY", default=2, unit="processes", ge=1, le=128, meaning="gunicorn worker processes")
    threads: int = variable("WEB_THREADS", default=8, unit="threads", ge=1, le=256, meaning="Threads in each worker process")
    request_timeout_seconds: int = variable(
        "REQUEST_TIMEOUT_SECONDS", default=60, unit="s", ge=5, le=600, meaning="A worker process that is silent for this long is replaced"
    )
    arrival_seconds: float = variable(
        "REQUEST_ARRIVAL_SECONDS",
        default=20.0,
        unit="s",
        gt=0,
        le=600,
        meaning="A request that takes longer to arrive is answered 408; who reads none of an answer for so long is cut off",
    )
    graceful_timeout_seconds: int = variable(
        "GRACEFUL_TIMEOUT_SECONDS", default=30, unit="s", ge=1, le=600, meaning="Time that running requests get to finish after SIGTERM"
    )
    drain_seconds: float = variable(
        "DRAIN_SECONDS",
        default=1.0,
        unit="s",
        ge=0,
        le=60,
        meaning="Time between `/readyz` turning 503 and the end of accepting, after SIGTERM",
    )


class EdgeSettings(Group):
    """What the edge lets in."""

    allowed_origins: tuple[str, ...] = variable(
        "ALLOWED_ORIGINS", default=("http://localhost:3000",), unit="list", meaning="CORS origins, separated by commas"
    )
    tokens: Secret | None = variable(
        "GATEWAY_TOKENS",
        unit="list",
        meaning="Bearer tokens and their scopes, `name:token:scope|scope,…`; without it the gateway is open and binds loopback only",
    )
    max_body_bytes: int = variable("MAX_BODY_BYTES", default=10 * 1024 * 1024, unit="bytes", ge=1024, meaning="Largest request body")
    rate_limit_requests: int = variable(
        "RATE_LIMIT_REQUESTS", default=1000, unit="requests", ge=1, meaning="Requests a client may send in a window"
    )
    rate_limit_window_seconds: int = variable(
        "RATE_LIMIT_WINDOW_SECONDS", default=900, unit="s", ge=1, meaning="Length of the rate-limit window"
    )
    trusted_proxies: int = variable(
        "TRUSTED_PROXIES", default=0, unit="hops", ge=0, le=10, meaning="Reverse proxies in front whose X-Forwarded-* headers are believed"
    )
    force_https: bool = variable("FORCE_HTTPS", default=False, meaning="Redirect plain HTTP and send HSTS")


class ConfigurationSettings(Group):
    """The client of the Configuration Service and Flow Registry."""

    url: str = variable(
        "FLOW_REGISTRY_URL",
        default="http://127.0.0.1:8012",
        read=http_url,
        meaning="Base URL of the Configuration Service and Flow Registry",
    )
    token: Secret | None = variable(
        "CONFIG_SERVICE_TOKEN", meaning="Bearer token that guards the Configuration Service; its client sends it"
    )
    api_key: Secret | None = variable("CONFIG_SERVICE_API_KEY", meaning="API key sent to the Configuration Service as `X-API-Key`")
    timeout_seconds: float = variable(
        "CONFIG_SERVICE_TIMEOUT_SECONDS", default=2.0, unit="s", gt=0, le=30, meaning="Limit of one call to it"
    )
    config_fresh_seconds: float = variable(
        "CONFIG_FRESH_SECONDS", default=5.0, unit="s", ge=0, meaning="A configuration value younger than this is not asked again"
    )
    services_fresh_seconds: float = variable("SERVICES_FRESH_SECONDS", default=2.0, unit="s", ge=0, meaning="The same, for services")
    flows_fresh_seconds: float = variable("FLOWS_FRESH_SECONDS", default=5.0, unit="s", ge=0, meaning="The same, for flow definitions")
    service_name: str = variable("SERVICE_NAME", default="api-gateway", meaning="Name under which the gateway registers itself")
    service_host: str = variable("SERVICE_HOST", default="127.0.0.1", meaning="Address under which other services reach the gateway")
    registration_ttl_seconds: int = variable(
        "REGISTRATION_TTL_SECONDS",
        default=30,
        unit="s",
        ge=6,
        le=3600,
        meaning="Lease of the gateway's own registration; renewed every third of it",
    )


class CacheSettings(Group):
    """The cache: DragonflyDB, then Redis, then each process's own memory."""

    namespace: str = variable(
        "CACHE_NAMESPACE", default="gateway", read=_key_part, meaning="Stands in every key: deployments that share a server differ in it"
    )
    timeout_seconds: float = variable(
        "CACHE_TIMEOUT_SECONDS",
        default=0.1,
        unit="s",
        gt=0,
        le=5,
        meaning="A cache server slower than this is left alone for 0.4 to 3.8 s; nothing is lost but its copies",
    )
    response_fresh_seconds: float = variable(
        "RESPONSE_FRESH_SECONDS",
        default=2.0,
        unit="s",
        ge=0,
        le=300,
        meaning="An answer of analytics or topology younger than this is given again; 0 gives none again",
    )
    response_stale_seconds: float = variable(
        "RESPONSE_STALE_SECONDS",
        default=30.0,
        unit="s",
        ge=0,
        le=3600,
        meaning="For so long more it is given, with its age, while nothing newer can be had",
    )


class AnalyticsSettings(Group):
    """Analytics, and the local spool for when PostgreSQL is away."""

    spool_directory: str | None = variable(
        "SPOOL_DIRECTORY",
        meaning="Directory of the files that take what PostgreSQL cannot; by default a temporary one for each database",
    )
    spool_max_bytes: int = variable(
        "SPOOL_MAX_BYTES",
        default=64 * 1024 * 1024,
        unit="bytes",
        ge=0,
        meaning="Size of all these files together; what does not fit is counted",
    )
    buffer_events: int = variable(
        "ANALYTICS_BUFFER_EVENTS", default=20_000, unit="events", ge=100, meaning="Events that a process keeps in memory; more are counted"
    )
    flush_seconds: float = variable(
        "ANALYTICS_FLUSH_SECONDS", default=1.0, unit="s", gt=0, le=60, meaning="Longest time that an event waits in memory"
    )
    retention_days: int = variable(
        "ANALYTICS_RETENTION_DAYS", default=30, unit="days", ge=1, le=400, meaning="Events older than this are deleted"
    )


class WorkerSettings(Group):
    """Celery workers, beat, and the running of flows."""

    concurrency: int = variable(
        "WORKER_CONCURRENCY", default=4, unit="processes", ge=1, le=256, meaning="Child processes of a Celery worker"
    )
    node_lease_seconds: float = variable(
        "NODE_LEASE_SECONDS",
        default=30.0,
        unit="s",
        ge=2,
        meaning="A node whose worker has not renewed for this long is run by another; renewed every third of it",
    )
    sweep_interval_seconds: float = variable(
        "SWEEP_INTERVAL_SECONDS", default=5.0, unit="s", gt=0, le=60, meaning="How often beat asks for messages and leases that were lost"
    )
    visibility_timeout_seconds: int = variable(
        "VISIBILITY_TIMEOUT_SECONDS",
        default=3600,
        unit="s",
        ge=60,
        meaning="A message that no worker acknowledged is delivered again after this time",
    )
    soft_shutdown_seconds: float = variable(
        "WORKER_SOFT_SHUTDOWN_SECONDS", default=8.0, unit="s", ge=0, meaning="Time that running tasks get to finish after SIGTERM"
    )
    retention_days: int = variable(
        "EXECUTION_RETENTION_DAYS", default=30, unit="days", ge=1, meaning="Finished executions older than this are deleted"
    )


class ConfigServiceSettings(Group):
    """The reference Configuration Service's own process."""

    host: str = variable(
        "CONFIG_SERVICE_HOST", default="127.0.0.1", meaning="Address to bind; anything but loopback needs CONFIG_SERVICE_TOKEN"
    )
    port: int = variable("CONFIG_SERVICE_PORT", default=8012, unit="port", ge=1, le=65535, meaning="Port to listen on")
    database_url: Secret | None = variable("CONFIG_SERVICE_DATABASE_URL", meaning="Its PostgreSQL; DATABASE_URL when not set")
    default_ttl_seconds: int = variable(
        "SERVICE_TTL_SECONDS", default=30, unit="s", ge=1, meaning="Lease of a registration that names no ttlSeconds"
    )
    kept_versions: int = variable(
        "CONFIG_VERSIONS_KEPT",
        default=100,
        unit="versions",
        ge=2,
        le=100_000,
        meaning="Versions of one configuration value that its history keeps; a write deletes older ones",
    )
    kept_days: int = variable(
        "REGISTRY_EXECUTIONS_DAYS",
        default=90,
        unit="days",
        ge=1,
        le=3650,
        meaning="Records of executions that ended longer ago are deleted, as new ones of the same flow come",
    )
    threads: int = variable("CONFIG_SERVICE_THREADS", default=8, unit="threads", ge=1, le=256, meaning="Threads of its one worker process")
