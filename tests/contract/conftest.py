"""Servers that several contract suites share, each started when first asked for."""

from collections.abc import Iterator

import pytest

from tests.doubles.weaviate import weaviate_process
from tests.fakes.clickhouse_server import ClickHouseServer, program


@pytest.fixture(scope="session")
def clickhouse_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables of a real clickhouse-server of this run's own."""
    if program() is None:
        pytest.skip("needs clickhouse-server: apt-get install clickhouse-server")
    server = ClickHouseServer(tmp_path_factory.mktemp("clickhouse"))
    server.start()
    yield server.environment
    server.stop()


@pytest.fixture(scope="session")
def weaviate_ports() -> Iterator[tuple[int, int]]:
    """REST and gRPC port of the Weaviate double, in a process of its own."""
    with weaviate_process() as ports:
        yield ports
