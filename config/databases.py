"""The settings of the six databases. A database without an address is disabled, and its role is served by its fallback."""

from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from config.reading import http_url
from config.secrets import Secret
from config.variables import Group, variable

POOL_SIZE = "Connections a process keeps at the most"
TLS = "rediss://"
CERT_REQS = "ssl_cert_reqs"  # the one word that redis-py and kombu (the broker's client) both read in a URL


def _postgres_url(text: str) -> Secret:
    """Heroku writes postgres://; SQLAlchemy wants the dialect and driver by name."""
    for prefix in ("postgres://", "postgresql://"):
        if text.startswith(prefix):
            return Secret("postgresql+psycopg2://" + text.removeprefix(prefix))
    if not text.startswith("postgresql+psycopg2://"):
        raise ValueError("must be a postgres:// or postgresql:// URL")
    return Secret(text)


def _redis_url(text: str) -> Secret:
    if not text.startswith(("redis://", TLS)):
        raise ValueError("must be a redis:// or rediss:// URL")
    try:
        cert_reqs = _cert_reqs(text)
    except ValueError:  # its words may hold the password
        raise ValueError("must be a URL whose host can be read") from None
    if cert_reqs not in (None, "required", "optional", "none"):
        raise ValueError(f"its {CERT_REQS} must be required, optional or none")
    return Secret(text)


def _secret(value: Secret | None) -> str:
    return value.get_secret_value() if value else ""


def _cert_reqs(url: str) -> str | None:
    """What the URL itself says: `required`, as redis-py writes it, or `CERT_REQUIRED`, as Celery's manual does."""
    given = dict(parse_qsl(urlsplit(url).query)).get(CERT_REQS)
    return given.lower().removeprefix("cert_") if given else None


def _with_tls(url: str, *, verify: bool) -> str:
    """The URL, saying whether the server's certificate is checked: left to itself redis-py checks and kombu does not."""
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != CERT_REQS]
    query.append((CERT_REQS, _cert_reqs(url) or ("required" if verify else "none")))
    return parts._replace(query=urlencode(query)).geturl()


def redis_protocol_url(url: Secret | None, host: str | None, port: int, password: Secret | None, *, tls_verify: bool) -> str | None:
    """One redis:// or rediss:// URL from a URL or from its parts; None when neither is set."""
    if url:
        given = url.get_secret_value()
        return _with_tls(given, verify=tls_verify) if given.startswith(TLS) else given
    if not host:
        return None
    credentials = f":{quote(_secret(password), safe='')}@" if password else ""
    return f"redis://{credentials}{host}:{port}/0"


class PostgresSettings(Group):
    """PostgreSQL: the transactional truth."""

    url: Secret | None = variable(
        "DATABASE_URL", "POSTGRES_URL", read=_postgres_url, unit="url", meaning="PostgreSQL, as postgresql://user:password@host:port/name"
    )
    host: str | None = variable("POSTGRES_HOST", meaning="Its host, when no URL is set")
    port: int = variable("POSTGRES_PORT", default=5432, unit="port", ge=1, le=65535, meaning="Its port")
    database: str = variable("POSTGRES_DB", default="gateway", meaning="Its database name")
    user: str = variable("POSTGRES_USER", default="gateway", meaning="Its user")
    password: Secret | None = variable("POSTGRES_PASSWORD", meaning="Its password")
    pool_size: int = variable("POSTGRES_POOL_SIZE", default=8, unit="connections", ge=1, le=1000, meaning=POOL_SIZE)
    connect_timeout_seconds: float = variable(
        "POSTGRES_CONNECT_TIMEOUT_SECONDS", default=2.0, unit="s", ge=1, meaning="Limit of connecting"
    )
    statement_timeout_seconds: float = variable(
        "POSTGRES_STATEMENT_TIMEOUT_SECONDS",
        default=2.0,
        unit="s",
        gt=0,
        meaning="Limit of one statement; a server that hangs holds a request a quarter of a second longer, however often that asks it",
    )

    @property
    def sqlalchemy_url(self) -> str | None:
        """The URL SQLAlchemy connects to; None when PostgreSQL is not configured."""
        if self.url:
            return self.url.get_secret_value()
        if not self.host:
            return None
        credentials = quote(self.user, safe="") + (f":{quote(_secret(self.password), safe='')}" if self.password else "")
        return f"postgresql+psycopg2://{credentials}@{self.host}:{self.port}/{quote(self.database, safe='')}"


class DragonflySettings(Group):
    """DragonflyDB: cache, rate limiter and broker."""

    url: Secret | None = variable("DRAGONFLY_URL", read=_redis_url, unit="url", meaning="DragonflyDB, as redis://:password@host:port/0")
    host: str | None = variable("DRAGONFLY_HOST", meaning="Its host, when no URL is set")
    port: int = variable("DRAGONFLY_PORT", default=6379, unit="port", ge=1, le=65535, meaning="Its port")
    password: Secret | None = variable("DRAGONFLY_PASSWORD", meaning="Its password")
    tls_verify: bool = variable(
        "DRAGONFLY_TLS_VERIFY",
        default=True,
        meaning="Check the server's certificate with rediss://; `false` for self-signed ones (Heroku's), which encrypts all the same",
    )
    pool_size: int = variable("DRAGONFLY_POOL_SIZE", default=16, unit="connections", ge=1, le=1000, meaning=POOL_SIZE)
    timeout_seconds: float = variable("DRAGONFLY_TIMEOUT_SECONDS", default=1.0, unit="s", gt=0, meaning="Limit of one command")

    @property
    def redis_url(self) -> str | None:
        """redis:// URL; None when DragonflyDB is not configured."""
        return redis_protocol_url(self.url, self.host, self.port, self.password, tls_verify=self.tls_verify)


class RedisSettings(Group):
    """Redis: the optional legacy cache."""

    url: Secret | None = variable(
        "REDIS_URL",
        read=_redis_url,
        unit="url",
        meaning="Legacy Redis, as redis://:password@host:port/0; the broker too when DragonflyDB is not set",
    )
    host: str | None = variable("REDIS_HOST", meaning="Its host, when no URL is set")
    port: int = variable("REDIS_PORT", default=6380, unit="port", ge=1, le=65535, meaning="Its port")
    password: Secret | None = variable("REDIS_PASSWORD", meaning="Its password")
    tls_verify: bool = variable(
        "REDIS_TLS_VERIFY",
        default=True,
        meaning="Check the server's certificate with rediss://; `false` for self-signed ones (Heroku's), which encrypts all the same",
    )
    pool_size: int = variable("REDIS_POOL_SIZE", default=8, unit="connections", ge=1, le=1000, meaning=POOL_SIZE)
    timeout_seconds: float = variable("REDIS_TIMEOUT_SECONDS", default=1.0, unit="s", gt=0, meaning="Limit of one command")

    @property
    def redis_url(self) -> str | None:
        """redis:// URL; None when Redis is not configured."""
        return redis_protocol_url(self.url, self.host, self.port, self.password, tls_verify=self.tls_verify)


class ClickHouseSettings(Group):
    """ClickHouse: analytics."""

    host: str | None = variable("CLICKHOUSE_HOST", meaning="ClickHouse's host")
    http_port: int = variable(
        "CLICKHOUSE_PORT",
        default=8123,
        unit="port",
        ge=1,
        le=65535,
        meaning="Its HTTP port, as the platform sets it; not spoken by the driver",
    )
    port: int = variable(
        "CLICKHOUSE_NATIVE_PORT", default=9000, unit="port", ge=1, le=65535, meaning="Its native port, what the driver speaks"
    )
    user: str = variable("CLICKHOUSE_USER", default="default", meaning="Its user")
    password: Secret | None = variable("CLICKHOUSE_PASSWORD", meaning="Its password")
    database: str = variable("CLICKHOUSE_DB", default="default", meaning="Its database name")
    pool_size: int = variable("CLICKHOUSE_POOL_SIZE", default=4, unit="connections", ge=1, le=1000, meaning=POOL_SIZE)
    timeout_seconds: float = variable("CLICKHOUSE_TIMEOUT_SECONDS", default=5.0, unit="s", gt=0, meaning="Limit of one query")


class WeaviateSettings(Group):
    """Weaviate: error patterns by meaning."""

    host: str | None = variable("WEAVIATE_HOST", meaning="Weaviate's host")
    port: int = variable("WEAVIATE_PORT", default=8080, unit="port", ge=1, le=65535, meaning="Its REST port")
    grpc_port: int = variable("WEAVIATE_GRPC_PORT", default=50051, unit="port", ge=1, le=65535, meaning="Its gRPC port")
    api_key: Secret | None = variable("WEAVIATE_API_KEY", meaning="Its API key")
    pool_size: int = variable("WEAVIATE_POOL_SIZE", default=4, unit="connections", ge=1, le=1000, meaning=POOL_SIZE)
    timeout_seconds: float = variable("WEAVIATE_TIMEOUT_SECONDS", default=3.0, unit="s", gt=0, meaning="Limit of one call")


class ArangoSettings(Group):
    """ArangoDB: the service graph."""

    url: str | None = variable("ARANGO_URL", read=http_url, unit="url", meaning="ArangoDB, as http://host:8529")
    database: str = variable("ARANGO_DB", default="gateway", meaning="Its database name")
    user: str = variable("ARANGO_USER", default="root", meaning="Its user")
    password: Secret | None = variable("ARANGO_PASSWORD", meaning="Its password")
    pool_size: int = variable("ARANGO_POOL_SIZE", default=4, unit="connections", ge=1, le=1000, meaning=POOL_SIZE)
    timeout_seconds: float = variable("ARANGO_TIMEOUT_SECONDS", default=3.0, unit="s", gt=0, meaning="Limit of one call")


class PollerSettings(Group):
    """The background poller of all databases."""

    interval_seconds: float = variable(
        "POLL_INTERVAL_SECONDS", default=5.0, unit="s", gt=0, meaning="Time between two pings of a database that answers"
    )
    down_interval_seconds: float = variable("POLL_DOWN_INTERVAL_SECONDS", default=1.0, unit="s", gt=0, meaning="The same while it is down")
    timeout_seconds: float = variable("POLL_TIMEOUT_SECONDS", default=2.0, unit="s", gt=0, meaning="Limit of one ping")
    slow_ms: float = variable(
        "POLL_SLOW_MS", default=500.0, unit="ms", gt=0, meaning="A ping slower than this makes the database `degraded`"
    )
