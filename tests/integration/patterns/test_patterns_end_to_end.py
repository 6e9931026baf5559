"""From an error at the edge to its pattern in the registry, wired as the product is."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from config.settings import Settings
from gateway.app import create_app
from gateway.container import Container, build_container
from gateway.recovery.patterns.documents import flow_id_of
from tests.doubles.platform_configuration_service import PlatformConfigurationService


@pytest.fixture
def registry() -> Iterator[PlatformConfigurationService]:
    with PlatformConfigurationService() as service:
        yield service


@pytest.fixture
def container(postgres_url: str, registry: PlatformConfigurationService, tmp_path: Path) -> Iterator[Container]:
    environment = {
        "DATABASE_URL": postgres_url,
        "FLOW_REGISTRY_URL": registry.url,
        "SPOOL_DIRECTORY": str(tmp_path),
        "LOG_LEVEL": "CRITICAL",
    }
    built = build_container(Settings.from_environment(environment))
    yield built
    built.stop()


@pytest.fixture
def client(container: Container) -> FlaskClient:
    return create_app(container=container).test_client()


def test_an_error_becomes_a_pattern_and_a_flow(client: FlaskClient, container: Container, registry: PlatformConfigurationService) -> None:
    fingerprints = {client.get(f"/api/v1/executions/run-{number}").get_json()["error"]["fingerprint"] for number in range(3)}
    assert len(fingerprints) == 1
    (fingerprint,) = fingerprints
    container.patterns.flush()

    shown = client.get(f"/api/v1/errors/patterns/{fingerprint}").get_json()["data"]
    assert (shown["count"], shown["type"], shown["relatedBy"]) == (3, "NOT_FOUND_ERROR", "postgres")
    listed = client.get("/api/v1/errors/patterns?type=NOT_FOUND_ERROR").get_json()
    assert [each["fingerprint"] for each in listed["data"]] == [fingerprint]

    assert container.pattern_uploads.upload() == 1
    flow = registry.flows[flow_id_of(fingerprint)]
    assert (flow["metadata"]["count"], flow["type"]) == (3, "custom")
    assert container.pattern_uploads.upload() == 0


def test_the_pattern_outlives_postgresql_being_away(postgres_url: str, tmp_path: Path, container: Container) -> None:
    environment = {"DATABASE_URL": "postgresql://nobody:x@127.0.0.1:1/gateway", "SPOOL_DIRECTORY": str(tmp_path), "LOG_LEVEL": "CRITICAL"}
    away = build_container(Settings.from_environment(environment))
    create_app(container=away).test_client().get("/api/v1/nothing")
    away.stop()
    container.patterns.flush()
    page = container.patterns.list_patterns(fault_type=None, source=None, limit=10, offset=0)
    assert [view.pattern.count for view in page.views] == [1]
