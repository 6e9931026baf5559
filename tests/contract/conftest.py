"""Servers that several contract suites share, each started when first asked for."""

from collections.abc import Iterator

import pytest

from tests.doubles.weaviate import weaviate_process
from tests.fakes.clickhouse_server import ClickHouseServer, program
from tests.servers.clickhouse_engine import available, clickhouse_engine


@pytest.fixture(scope="session")
def clickhouse_environment(clickhouse_server: ClickHouseServer) -> dict[str, str]:
    """The variables that lead to it."""
    return clickhouse_server.environment


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
