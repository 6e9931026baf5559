"""Servers that several contract suites share, each started when first asked for."""

import itertools
import os
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import pytest

from tests.conftest import TEMPLATE, execute, migrate
from tests.doubles.weaviate import weaviate_process
from tests.fakes.clickhouse_server import ClickHouseServer, program
from tests.servers.clickhouse_engine import available, clickhouse_engine
from tests.servers.real import OWN, VARIABLES, asked_for, own_arangodb, own_clickhouse, real_environment

_numbers = itertools.count(1)


def pytest_report_header() -> list[str]:
    """In a run against real servers: the ones that it leaves out."""
    absent = [name for name in VARIABLES if not os.environ.get(name)]
    return [f"not run against a real server (variable not set): {', '.join(absent) or 'none'}"] if asked_for() else []


@pytest.fixture(scope="session")
def postgres_template(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """A migrated, empty database: the URL of its server's `postgres`, and its name. On a real server it is ours and goes at the end."""
    real = real_environment("DATABASE_URL")
    if real is None:
        yield request.getfixturevalue("migrated_postgres").url_of("postgres"), TEMPLATE
        return
    server = real["DATABASE_URL"]
    execute(server, f"CREATE DATABASE {OWN}")
    try:
        migrate(with_database(server, OWN))
        yield server, OWN
    finally:
        execute(server, f"DROP DATABASE {OWN} WITH (FORCE)")


@pytest.fixture
def postgres_url(postgres_template: tuple[str, str]) -> Iterator[str]:
    """postgresql:// URL of a fresh, migrated, empty database of the test's own."""
    server, template = postgres_template
    name = f"{OWN}_{next(_numbers)}"
    execute(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield with_database(server, name)
    execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def with_database(url: str, name: str) -> str:
    """The URL of another database on the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@pytest.fixture(scope="session")
def clickhouse_environment(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The variables that lead to a ClickHouse: on a real server, to a database of our own."""
    real = real_environment("CLICKHOUSE_HOST")
    if real is None:
        yield request.getfixturevalue("clickhouse_server").environment
        return
    with own_clickhouse(real) as environment:
        yield environment


@pytest.fixture(scope="session")
def real_arangodb_environment() -> Iterator[dict[str, str] | None]:
    """The variables that lead to a database of our own on a real server; None when there is none."""
    real = real_environment("ARANGO_URL")
    if real is None:
        yield None
        return
    with own_arangodb(real) as environment:
        yield environment


@pytest.fixture(scope="session")
def clickhouse_server_http_port(clickhouse_server: ClickHouseServer) -> int:
    """Its other port, which the driver does not speak to."""
    return clickhouse_server.http_port


@pytest.fixture(scope="session")
def clickhouse_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    """A real clickhouse-server of this run's own."""
    if program() is None:
        pytest.skip("needs clickhouse-server: apt-get install clickhouse-server")
    server = ClickHouseServer(tmp_path_factory.mktemp("clickhouse"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def clickhouse_engine_environment() -> Iterator[dict[str, str]]:
    """The variables that lead to a current ClickHouse's engine."""
    if not available():
        pytest.skip("chdb-core is not installed; `make environment-development` installs it")
    with clickhouse_engine() as environment:
        yield environment


@pytest.fixture(scope="session")
def weaviate_ports() -> Iterator[tuple[int, int]]:
    """REST and gRPC port of the Weaviate double, in a process of its own."""
    with weaviate_process() as ports:
        yield ports
