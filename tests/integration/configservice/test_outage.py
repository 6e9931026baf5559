"""PostgreSQL away: 503 with Retry-After in time, and back without a restart."""

import os
import signal
from collections.abc import Iterator

import psutil
import pytest
from flask import Flask
from flask.testing import FlaskClient

from config.settings import Settings
from configservice.app import create_configuration_service
from configservice.container import EXTENSION
from embedded.postgres import EmbeddedPostgres
from tests.conftest import migrate

URL = "/api/v1/config?key=k"


@pytest.fixture(scope="module")
def fragile_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A server of this file's own, to be killed and stopped."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("fragile"), durable=False)
    server.start()
    migrate(server.url)
    yield server
    server.start()
    server.remove()


@pytest.fixture
def fragile_client(fragile_postgres: EmbeddedPostgres) -> Iterator[FlaskClient]:
    """A client whose service has used its pool."""
    variables = {"DATABASE_URL": fragile_postgres.url, "POSTGRES_STATEMENT_TIMEOUT_SECONDS": "3"}
    app: Flask = create_configuration_service(Settings.from_environment(variables))
    client = app.test_client()
    assert client.post("/api/v1/config", json={"key": "k", "value": 1}).status_code == 201
    yield client
    app.extensions[EXTENSION].database.close()


def test_down_then_back(fragile_postgres: EmbeddedPostgres, fragile_client: FlaskClient) -> None:
    fragile_postgres.kill()
    for response in (
        fragile_client.get(URL),
        fragile_client.post("/api/v1/config", json={"key": "k", "value": 2}),
        fragile_client.get("/health"),
    ):
        assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
        assert "psycopg2" not in response.text
    assert fragile_client.get("/api/v1/flows/health").json["checks"]["database"]["status"] == "unhealthy"
    fragile_postgres.start()
    assert fragile_client.get(URL).status_code == 200


def test_a_restart_between_two_requests_is_not_noticed(fragile_postgres: EmbeddedPostgres, fragile_client: FlaskClient) -> None:
    fragile_postgres.kill()
    fragile_postgres.start()
    assert fragile_client.get(URL).status_code == 200
    fragile_postgres.kill()
    fragile_postgres.start()
    assert fragile_client.post("/api/v1/config", json={"key": "k", "value": 3}).status_code == 201


def test_a_server_that_hangs_is_given_up(fragile_postgres: EmbeddedPostgres, fragile_client: FlaskClient) -> None:
    assert fragile_postgres.process is not None
    processes = [psutil.Process(fragile_postgres.process.pid), *psutil.Process(fragile_postgres.process.pid).children(recursive=True)]
    for process in processes:
        os.kill(process.pid, signal.SIGSTOP)
    try:
        response = fragile_client.get(URL)
    finally:
        for process in processes:
            os.kill(process.pid, signal.SIGCONT)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
    assert fragile_client.get(URL).status_code == 200


def test_without_a_database_it_starts_and_says_so() -> None:
    client = create_configuration_service(Settings.from_environment({})).test_client()
    response = client.get(URL)
    assert response.status_code == 503
    assert "DATABASE_URL" in response.json["message"]
