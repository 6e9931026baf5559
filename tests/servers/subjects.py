"""The six databases as the contract suite sees them: a server (real, embedded or a double) behind fault proxies, and what to ask it.

A server named by its variables (TEST_REAL=1) is taken in place of the embedded one or the double.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from config.settings import Settings
from gateway.databases.pool import Databases
from gateway.databases.ports import Database
from tests.doubles.arangodb import running_arangodb
from tests.doubles.weaviate import API_KEY
from tests.servers.fault_proxy import FaultProxy
from tests.servers.real import OWN, OWN_CLASS, opened, real_environment

Statement = tuple[str, dict[str, Any]]
SEEDED = 30


@dataclass
class Subject:
    """One database under test. `environment` leads through `proxies`; `rows(n)` asks for n rows that hold 1 to n."""

    name: str
    environment: dict[str, str]
    proxies: list[FaultProxy]
    wrong_password: dict[str, str]
    rows: Callable[[int], Statement]
    writes: list[str]
    invalid: list[str]
    echo: Callable[[str], Statement] | None = None
    endless: Statement | None = None
    sleeping: Statement | None = None
    seed: Callable[[Any], None] = field(default=lambda database: None)

    @contextmanager
    def opened(self, **changes: str) -> Iterator[Database]:
        """The database by these settings, closed at the end."""
        databases = Databases(Settings.from_environment({**self.environment, **changes}))
        try:
            yield databases.get(self.name)
        finally:
            databases.close()


def through_proxy(stack: ExitStack, url: str) -> tuple[str, FaultProxy]:
    """The URL by way of a new fault proxy."""
    parts = urlsplit(url)
    proxy = stack.enter_context(FaultProxy(parts.hostname or "127.0.0.1", parts.port or 0))
    user = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{user + '@' if user else ''}127.0.0.1:{proxy.port}")), proxy


def postgres(request: pytest.FixtureRequest, stack: ExitStack) -> Subject:
    url, proxy = through_proxy(stack, request.getfixturevalue("postgres_url"))
    parts = urlsplit(url)
    stranger = urlunsplit(parts._replace(netloc=f"nobody_here:wrong@{parts.netloc.rpartition('@')[2]}"))
    return Subject(
        "postgres",
        {"DATABASE_URL": url},
        [proxy],
        {"DATABASE_URL": stranger},
        rows=lambda n: ("SELECT n FROM generate_series(1, :n) AS n ORDER BY n", {"n": n}),
        writes=[
            "CREATE TABLE contract_written (a int)",
            "INSERT INTO executions DEFAULT VALUES",
            "WITH gone AS (DELETE FROM executions RETURNING 1) SELECT * FROM gone",
            "SELECT 1; CREATE TABLE contract_written (a int)",
            "SELECT 1; COMMIT; CREATE TABLE contract_written (a int)",
            "SELECT 1 INTO contract_written",
            "EXPLAIN ANALYZE CREATE TABLE contract_written AS SELECT 1",
            "SELECT * FROM executions FOR UPDATE",
            "COPY executions TO PROGRAM 'true'",
            "SELECT set_config('statement_timeout', '0', false)",
            "SELECT pg_advisory_lock(1)",
            'SELECT "pg_terminate_backend"(1)',
            "SELECT pg_read_file('PG_VERSION')",
            "SELECT lo_create(0)",
            "BEGIN",
            "SET statement_timeout = 0",
        ],
        invalid=["SELECT FROM WHERE", "SELECT * FROM no_such_table", "SELECT 1 / 0", "SELECT 'a"],
        echo=lambda text: ("SELECT :text::text AS text", {"text": text}),
        endless=("SELECT generate_series(1, 1000000000) AS n", {}),
        sleeping=("SELECT pg_sleep(30)", {}),
    )


def _redis_protocol(name: str, variable: str, request: pytest.FixtureRequest, stack: ExitStack) -> Subject:
    real = real_environment(variable)
    url_of_server = real[variable] if real else request.getfixturevalue("redis_url")
    url, proxy = through_proxy(stack, url_of_server)
    numbers = f"{OWN}:list"
    host = urlsplit(url).netloc.rpartition("@")[2]

    def seed(database: Any) -> None:
        with database.commands() as client:
            client.delete(numbers)
            client.rpush(numbers, *range(1, SEEDED + 1))

    def clean() -> None:
        with opened({variable: url_of_server}, name) as database, database.commands() as client:
            client.delete(numbers)

    stack.callback(clean)
    return Subject(
        name,
        {variable: url},
        [proxy],
        {variable: f"redis://nobody_here:wrong@{host}/0"},
        rows=lambda n: (f"LRANGE {numbers} 0 $last", {"last": n - 1}),
        writes=[
            "SET contract:written 1",
            "set contract:written 1",
            "EVAL \"redis.call('SET','contract:written','1')\" 0",
            "FLUSHALL",
            "CONFIG SET maxmemory 1",
            "SHUTDOWN",
            f"GETDEL {numbers}",
            "XREAD BLOCK 0 STREAMS contract:stream 0",
            "SUBSCRIBE contract",
            "KEYS *",
            "OBJECT HELP",
            "MULTI",
        ],
        invalid=["GET", "LLEN a b", 'GET "open', "GET $missing", f"STRLEN {numbers}"],
        echo=lambda text: ("ECHO $text", {"text": text}),
        seed=seed,
    )


def dragonflydb(request: pytest.FixtureRequest, stack: ExitStack) -> Subject:
    return _redis_protocol("dragonflydb", "DRAGONFLY_URL", request, stack)


def redis(request: pytest.FixtureRequest, stack: ExitStack) -> Subject:
    return _redis_protocol("redis", "REDIS_URL", request, stack)


def clickhouse(request: pytest.FixtureRequest, stack: ExitStack) -> Subject:
    return _clickhouse(request.getfixturevalue("clickhouse_environment"), stack)


def clickhouse_engine(request: pytest.FixtureRequest, stack: ExitStack) -> Subject:
    return _clickhouse(request.getfixturevalue("clickhouse_engine_environment"), stack)


def _clickhouse(server: dict[str, str], stack: ExitStack) -> Subject:
    proxy = stack.enter_context(FaultProxy(server["CLICKHOUSE_HOST"], int(server.get("CLICKHOUSE_NATIVE_PORT", "9000"))))
    return Subject(
        "clickhouse",
        {**server, "CLICKHOUSE_HOST": "127.0.0.1", "CLICKHOUSE_NATIVE_PORT": str(proxy.port)},
        [proxy],
        {"CLICKHOUSE_PASSWORD": "wrong"},
        rows=lambda n: ("SELECT arrayJoin(range({n:UInt32})) + 1 AS n ORDER BY n", {"n": n}),
        writes=[
            "CREATE TABLE contract_written (a UInt8) ENGINE = Memory",
            "INSERT INTO system.one VALUES (1)",
            "SELECT 1; DROP TABLE contract_written",
            "SET readonly = 0",
            "SELECT 1 SETTINGS readonly = 0",
            "KILL QUERY WHERE 1",
            "SYSTEM RELOAD CONFIG",
            "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a Int8')",
            "SELECT * FROM file('/etc/passwd', 'CSV', 'a String')",
            "DESCRIBE TABLE url('http://127.0.0.1:1/')",
            "SELECT hasColumnInTable('127.0.0.1:1', 'system', 'one', 'dummy')",
            "OPTIMIZE TABLE contract_written",
        ],
        invalid=["SELECT FROM WHERE", "SELECT * FROM no_such_table", "SELECT {n:UInt8}", "SELECT {n}"],
        echo=lambda text: ("SELECT {text:String} AS text", {"text": text}),
        endless=("SELECT number FROM system.numbers", {}),
        sleeping=("SELECT sleep(3)", {}),
    )


NO_READS_IN_GRAPHQL = [
    "mutation { Get { Number { n } } }",
    "subscription { Get { Number { n } } }",
    "{ __schema { types { name } } }",
    "{ Get { Number { n } } } { Get { Number { n } } }",
    "query A { Get { Number { n } } } mutation B { x }",
    "fragment x on y { z } { Get { ...x } }",
    "{ delete: Delete { Number { n } } }",
    "{ ...x Get { Number { n } } }",
]


def weaviate(request: pytest.FixtureRequest, stack: ExitStack) -> Subject:
    real = real_environment("WEAVIATE_HOST")
    if real:
        host, rest, grpc_port = real["WEAVIATE_HOST"], int(real.get("WEAVIATE_PORT", "8080")), int(real.get("WEAVIATE_GRPC_PORT", "50051"))
        key = {"WEAVIATE_API_KEY": real["WEAVIATE_API_KEY"]} if "WEAVIATE_API_KEY" in real else {}
    else:
        host, key = "127.0.0.1", {"WEAVIATE_API_KEY": API_KEY}
        rest, grpc_port = request.getfixturevalue("weaviate_ports")
    proxies = [stack.enter_context(FaultProxy(host, port)) for port in (rest, grpc_port)]
    ports = {"WEAVIATE_PORT": str(proxies[0].port), "WEAVIATE_GRPC_PORT": str(proxies[1].port)}

    def seed(database: Any) -> None:
        with database.commands(20) as client:
            with contextlib.suppress(Exception):
                client.collections.delete(OWN_CLASS)
            numbers = client.collections.create_from_dict({"class": OWN_CLASS, "vectorizer": "none"})
            numbers.data.insert_many([{"n": number} for number in range(1, SEEDED + 1)])

    def clean() -> None:
        direct = {"WEAVIATE_HOST": host, "WEAVIATE_PORT": str(rest), "WEAVIATE_GRPC_PORT": str(grpc_port), **key}
        with opened(direct, "weaviate") as database, database.commands(20) as client:
            client.collections.delete(OWN_CLASS)

    stack.callback(clean)
    return Subject(
        "weaviate",
        {"WEAVIATE_HOST": "127.0.0.1", **ports, **key},
        proxies,
        {"WEAVIATE_API_KEY": "wrong"},
        rows=lambda n: (f"query($n: Int) {{ Get {{ {OWN_CLASS}(limit: $n) {{ n }} }} }}", {"n": n}),
        writes=NO_READS_IN_GRAPHQL,
        invalid=["{ Get { NoSuchCollection { n } } }"],
        seed=seed,
    )


def arangodb(request: pytest.FixtureRequest, stack: ExitStack) -> Subject:
    real = request.getfixturevalue("real_arangodb_environment")
    rows, echo, endless, sleeping = (
        "FOR n IN 1..@n RETURN { n: n }",
        "RETURN { text: @text }",
        "FOR n IN 1..1000000000 RETURN n",
        "RETURN SLEEP(30)",
    )
    writes = [
        "INSERT { a: 1 } INTO contract",
        "FOR d IN contract REMOVE d IN contract",
        "FOR d IN contract UPDATE d WITH { a: 2 } IN contract",
    ]
    if real:
        url, login = real["ARANGO_URL"], {name: real[name] for name in ("ARANGO_DB", "ARANGO_USER", "ARANGO_PASSWORD") if name in real}
    else:
        double = stack.enter_context(running_arangodb())
        url, login = f"http://127.0.0.1:{double.port}", {"ARANGO_PASSWORD": double.password}
        double.knows(rows, lambda bound: ({"n": number} for number in range(1, bound["n"] + 1)))
        double.knows(echo, lambda bound: [{"text": bound["text"]}])
        double.knows(endless, lambda _: iter(range(1, 1_000_000_000)))
        double.knows(sleeping, lambda _: [True], seconds=30)
        for text, node in zip(writes, ["InsertNode", "RemoveNode", "UpdateNode"], strict=True):
            double.knows(text, lambda _: [], nodes=(node,))
    through, proxy = through_proxy(stack, url)
    return Subject(
        "arangodb",
        {"ARANGO_URL": through, **login},
        [proxy],
        {"ARANGO_PASSWORD": "wrong"},
        rows=lambda n: (rows, {"n": n}),
        writes=writes,
        invalid=["FOR n IN", rows],
        echo=lambda text: (echo, {"text": text}),
        endless=(endless, {}),
        sleeping=(sleeping, {}),
    )


MAKERS: Mapping[str, Callable[[pytest.FixtureRequest, ExitStack], Subject]] = {
    "postgres": postgres,
    "dragonflydb": dragonflydb,
    "clickhouse": clickhouse,
    "clickhouse-engine": clickhouse_engine,
    "weaviate": weaviate,
    "arangodb": arangodb,
    "redis": redis,
}
