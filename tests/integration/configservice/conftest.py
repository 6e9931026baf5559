"""The Configuration Service over a real, migrated PostgreSQL."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from config.settings import Settings
from configservice.app import create_configuration_service
from configservice.container import EXTENSION, Parts

MakeService = Callable[..., Flask]
Flow = dict[str, Any]


@pytest.fixture
def make_config_service(postgres_url: str) -> Iterator[MakeService]:
    """Makes services over the test's own database, with more variables when given; closes them all."""
    made: list[Flask] = []

    def make(**variables: str) -> Flask:
        app = create_configuration_service(Settings.from_environment({"DATABASE_URL": postgres_url, **variables}))
        made.append(app)
        return app

    yield make
    for app in made:
        parts_of(app).watchers.close()
        parts_of(app).database.close()


@pytest.fixture
def config_service(make_config_service: MakeService) -> Flask:
    """The service without a token."""
    return make_config_service()


@pytest.fixture
def config_client(config_service: Flask) -> FlaskClient:
    """A client of the service without a token."""
    return config_service.test_client()


@pytest.fixture
def run_sql(config_service: Flask) -> Callable[[str], None]:
    """Runs a statement on the service's database, to put the clock of a row where a test wants it."""
    return lambda statement: parts_of(config_service).database.write(lambda connection: connection.execute(text(statement)) and None)


def parts_of(app: Flask) -> Parts:
    """The parts inside the app."""
    parts = app.extensions[EXTENSION]
    assert isinstance(parts, Parts)
    return parts


@pytest.fixture
def make_flow() -> Callable[..., Flow]:
    """Makes a small valid definition; fields given replace or add."""

    def make(flow_id: str = "orders", **fields: Any) -> Flow:
        return {
            "id": flow_id,
            "name": f"Flow {flow_id}",
            "type": "custom",
            "version": "1.0.0",
            "createdBy": "tests",
            "nodes": [
                {"id": "fetch", "name": "Fetch", "type": "service", "config": {"service": "prices", "path": "/latest"}},
                {"id": "decide", "name": "Decide", "type": "transform", "config": {"output": "${nodes.fetch.output.status == 200}"}},
            ],
            "edges": [{"id": "e1", "source": "fetch", "target": "decide"}],
            **fields,
        }

    return make
