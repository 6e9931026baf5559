"""The six engines as the chaos run sees them: a server behind fault proxies, how to ask it, how to lock us out of it, and how to fill it.

PostgreSQL, both Redis and ClickHouse are real servers; Weaviate and ArangoDB are the doubles of tests/doubles.
"""

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import redis
from clickhouse_driver import Client

from embedded.postgres import EmbeddedPostgres
from embedded.redis import EmbeddedRedis
from tests.chaos.arango import PASSWORD, running_arango
from tests.conftest import execute
from tests.doubles.weaviate import API_KEY, controlled_weaviate
from tests.fakes.clickhouse_server import ClickHouseServer, program, users_file
from tests.servers.fault_proxy import FaultProxy

ROLE = "gateway_in_chaos"
OTHER_PASSWORD = "changed-behind-our-back"
NEEDS_CLICKHOUSE = "clickhouse-server is not installed (apt-get install clickhouse-server)"
Act = Callable[[], None]


@dataclass
class Engine:
    """One engine.

    Attributes:
        environment: what leads the gateway to it, through `proxies`.
        direct: what leads it there past them, where somebody measures microseconds; of PostgreSQL and both Redis.
        question: body for its query endpoint, answered with one row.
        lock_out, let_in: our password stops being right, and is right again. New connections alone notice.
        fill, relieve: it takes no writes, and takes them again.
        tells: a ping meets that too.
    """

    name: str
    environment: dict[str, str]
    proxies: list[FaultProxy]
    question: dict[str, Any]
    lock_out: Act
    let_in: Act
    fill: Act
    relieve: Act
    tells: bool = False
    direct: dict[str, str] = field(default_factory=dict)

    def drop_connections(self) -> None:
        for proxy in self.proxies:
            proxy.drop_all()


@contextmanager
def started_engines(
    directory: Path, postgres: EmbeddedPostgres, database: str, only: Collection[str] | None = None
) -> Iterator[dict[str, Engine]]:
    """All that can be had here, or those named, in the order of design.md. `database` of `postgres` is migrated and ours alone."""
    with ExitStack() as stack:
        makers: dict[str, Callable[[], Engine]] = {
            "postgres": lambda: _postgres(stack, postgres, database),
            "dragonflydb": lambda: _redis(stack, "dragonflydb", "DRAGONFLY", directory),
            "clickhouse": lambda: _clickhouse(stack, directory),
            "weaviate": lambda: _weaviate(stack),
            "arangodb": lambda: _arangodb(stack),
            "redis": lambda: _redis(stack, "redis", "REDIS", directory),
        }
        if not program():
            del makers["clickhouse"]
        yield {name: make() for name, make in makers.items() if only is None or name in only}


def _through(stack: ExitStack, port: int) -> FaultProxy:
    return stack.enter_context(FaultProxy("127.0.0.1", port))


def _postgres(stack: ExitStack, server: EmbeddedPostgres, database: str) -> Engine:
    parts = urlsplit(server.url_of(database))
    superuser = urlunsplit(parts._replace(netloc=f"postgres:{parts.password}@127.0.0.1:{server.port}"))
    proxy = _through(stack, server.port)

    def say(statement: str) -> Act:
        return lambda: execute(superuser, statement)

    execute(superuser, f"CREATE ROLE {ROLE} LOGIN PASSWORD 'right'")
    stack.callback(say(f"DROP ROLE {ROLE}"))
    execute(superuser, f"GRANT gateway TO {ROLE}")
    return Engine(
        "postgres",
        {"DATABASE_URL": f"postgresql://{ROLE}:right@127.0.0.1:{proxy.port}/{database}"},
        [proxy],
        {"statement": "SELECT 1 AS one"},
        say(f"ALTER ROLE {ROLE} PASSWORD '{OTHER_PASSWORD}'"),
        say(f"ALTER ROLE {ROLE} PASSWORD 'right'"),
        say(f"ALTER ROLE {ROLE} SET default_transaction_read_only = on"),
        say(f"ALTER ROLE {ROLE} RESET default_transaction_read_only"),
        tells=True,
        direct={"DATABASE_URL": f"postgresql://{ROLE}:right@127.0.0.1:{server.port}/{database}"},
    )


def _redis(stack: ExitStack, name: str, prefix: str, directory: Path) -> Engine:
    server = EmbeddedRedis(directory / name)
    server.start()
    stack.callback(server.remove)
    parts = urlsplit(server.url)
    proxy = _through(stack, server.port)

    def configure(password: str | None, key: str, value: str) -> Act:
        def act() -> None:
            with closing(redis.Redis(port=server.port, password=password)) as client:
                client.config_set(key, value)

        return act

    return Engine(
        name,
        {f"{prefix}_URL": f"redis://:{parts.password}@127.0.0.1:{proxy.port}/0"},
        [proxy],
        {"statement": "ECHO one"},
        configure(parts.password, "requirepass", OTHER_PASSWORD),
        configure(OTHER_PASSWORD, "requirepass", parts.password or ""),
        configure(parts.password, "maxmemory", "1"),
        configure(parts.password, "maxmemory", "0"),
        direct={f"{prefix}_URL": server.url},
    )


def _clickhouse(stack: ExitStack, directory: Path) -> Engine:
    server = ClickHouseServer(directory / "clickhouse")
    server.start()
    stack.callback(server.stop)
    proxy = _through(stack, server.native_port)

    def users(password: str = "", readonly: int = 0) -> Act:
        """Rewrites users.xml: `default` is the gateway's; `operator` may always tell the server to read it again."""

        def act() -> None:
            (directory / "clickhouse" / "users.xml").write_text(users_file(password, readonly))
            client = Client("127.0.0.1", port=server.native_port, user="operator")
            try:
                client.execute("SYSTEM RELOAD CONFIG")
            finally:
                client.disconnect()

        return act

    return Engine(
        "clickhouse",
        {"CLICKHOUSE_HOST": "127.0.0.1", "CLICKHOUSE_NATIVE_PORT": str(proxy.port)},
        [proxy],
        {"statement": "SELECT 1 AS one"},
        users(password=OTHER_PASSWORD),
        users(),
        users(readonly=2),
        users(),
    )


def _weaviate(stack: ExitStack) -> Engine:
    double = stack.enter_context(controlled_weaviate())
    proxies = [_through(stack, port) for port in (double.port, double.grpc_port)]
    double.tell(classes={"Chaos": {"class": "Chaos", "vectorizer": "none", "properties": []}}, objects={"Chaos": {}})
    return Engine(
        "weaviate",
        {
            "WEAVIATE_HOST": "127.0.0.1",
            "WEAVIATE_PORT": str(proxies[0].port),
            "WEAVIATE_GRPC_PORT": str(proxies[1].port),
            "WEAVIATE_API_KEY": API_KEY,
        },
        proxies,
        {"statement": "{ Get { Chaos { _additional { id } } } }"},
        lambda: double.tell(api_key=OTHER_PASSWORD),
        lambda: double.tell(api_key=API_KEY),
        lambda: double.tell(full=True),
        lambda: double.tell(full=False),
    )


def _arangodb(stack: ExitStack) -> Engine:
    double = stack.enter_context(running_arango())
    proxy = _through(stack, double.port)
    question = "RETURN { one: 1 }"
    double.knows(question, lambda _: [{"one": 1}])

    def setting(name: str, value: Any) -> Act:
        return lambda: setattr(double, name, value)

    return Engine(
        "arangodb",
        {"ARANGO_URL": f"http://127.0.0.1:{proxy.port}", "ARANGO_PASSWORD": PASSWORD},
        [proxy],
        {"statement": question},
        setting("password", OTHER_PASSWORD),
        setting("password", PASSWORD),
        setting("full", True),
        setting("full", False),
    )


def as_text(question: dict[str, Any]) -> str:
    """The body of a query on the wire."""
    return json.dumps({"timeoutMs": 2000, "maxRows": 1, **question})
