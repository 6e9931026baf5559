"""Both services that the client must work against, behind one face: the platform's (a double) and our reference."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest
from werkzeug.serving import make_server

from config.settings import Settings
from configservice.app import create_configuration_service
from gateway.clock import SystemClock
from gateway.outbound.client import HttpClient
from tests.doubles.platform_configuration_service import PlatformConfigurationService
from tests.fakes.configuration_room import Room, build_room


@dataclass(frozen=True)
class ServedConfiguration:
    """A running service. `offers_services`: it has a service registry and layers."""

    url: str
    offers_services: bool
    set_config: Callable[[str, object], None]
    activate: Callable[[str], None]


@pytest.fixture(params=["platform", "reference"])
def served(request: pytest.FixtureRequest) -> ServedConfiguration:
    """Each of the two in turn."""
    found: ServedConfiguration = request.getfixturevalue(f"{request.param}_service")
    return found


@pytest.fixture
def platform_service() -> Iterator[ServedConfiguration]:
    with PlatformConfigurationService() as service:
        yield ServedConfiguration(service.url, False, service.config.__setitem__, service.activate)


@pytest.fixture
def reference_service(postgres_url: str) -> Iterator[ServedConfiguration]:
    app = create_configuration_service(Settings.from_environment({"DATABASE_URL": postgres_url}))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    with closing(HttpClient(2, SystemClock())) as http:

        def call(method: str, path: str, body: object) -> None:
            answer = http.request(method, url + path, json=body, timeout_seconds=5)
            assert answer.status < 300, answer.body

        def set_config(key: str, value: object) -> None:
            kind = {str: "string", bool: "boolean", int: "number"}.get(type(value), "json")
            call("POST", "/api/v1/config", {"key": key, "value": value, "type": kind, "environment": "global"})

        def activate(flow_id: str) -> None:
            document = http.request("GET", f"{url}/api/v1/flows/{flow_id}", timeout_seconds=5).json()["data"]
            call("PUT", f"/api/v1/flows/{flow_id}", {**document, "status": "active"})

        yield ServedConfiguration(url, True, set_config, activate)
    server.shutdown()
    thread.join(5)
    server.server_close()
    app.extensions["configservice"].database.close()


@pytest.fixture
def room(served: ServedConfiguration) -> Iterator[Room]:
    """The room against the service, without PostgreSQL of its own."""
    with closing(build_room(served.url, SystemClock())) as built:
        yield built
