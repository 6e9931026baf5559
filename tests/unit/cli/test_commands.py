"""The operator's commands: what they print, and the exit codes a deploy relies on."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from click.testing import Result

from gateway.outbound.answer import Answer
from gateway.outbound.errors import UpstreamUnreachable
from tests.fakes.container import FakeContainer, settings
from tests.fakes.edge import make_app, make_client

ROOT = Path(__file__).parents[3]
NINE = [
    "Health Check",
    "Database Status",
    "Configuration Service",
    "Service Discovery",
    "Flow Registry",
    "API Documentation",
    "Security Headers",
    "Rate Limiting",
    "Error Handling",
]


class Front:
    """An HTTP client that reaches the app of a container instead of a network; `status` overrides answers by path."""

    def __init__(self, container: FakeContainer, overrides: Mapping[str, Answer] = MappingProxyType({})) -> None:
        self._client = make_client(container)
        self._overrides = overrides
        self.sent: list[Mapping[str, str]] = []

    def request(self, method: str, url: str, *, headers: Mapping[str, str] | None = None, json: Any = None, **_: Any) -> Answer:
        self.sent.append(headers or {})
        path = "/" + url.split("/", 3)[3]
        if path in self._overrides:
            return self._overrides[path]
        response = self._client.open(path, method=method, headers=dict(headers or {}), json=json)
        return Answer(response.status_code, {name.lower(): value for name, value in response.headers}, response.get_data())


class Silence:
    """An HTTP client that reaches nobody."""

    def request(self, method: str, url: str, **_: Any) -> Answer:
        raise UpstreamUnreachable("The service cannot be reached", sent=False)


def run(container: FakeContainer, *arguments: str) -> Result:
    return make_app(container).test_cli_runner().invoke(args=list(arguments))


def gateway(**overrides: Answer) -> FakeContainer:
    """A container whose HTTP client reaches another gateway, on which everything works."""
    other = FakeContainer()
    other.executions.result = 42
    return FakeContainer(http=Front(other, overrides))


def test_db_check_shows_all_six_and_passes_without_the_optional_ones() -> None:
    container = FakeContainer()
    container.poller.down, container.poller.disabled = {"redis"}, {"weaviate"}
    result = run(container, "db-check", "--timeout", "1.5")
    assert result.exit_code == 0
    assert container.poller.checked_with == 1.5
    assert container.databases.closed == 1
    for word in ("postgres", "dragonflydb", "clickhouse", "weaviate", "arangodb", "redis", "disabled", "1.2 ms", "It cannot be reached"):
        assert word in result.output


def test_db_check_fails_without_the_critical_one() -> None:
    container = FakeContainer()
    container.poller.down = {"postgres"}
    result = run(container, "db-check", "--json")
    report = json.loads(result.output)
    assert (result.exit_code, report["passed"], report["connections"]["postgres"]) == (1, False, False)
    assert report["health"]["postgres"]["error"]["code"] == "DATABASE_CONNECTION_ERROR"


def test_db_check_can_be_strict() -> None:
    container = FakeContainer()
    container.poller.down, container.poller.disabled = {"redis"}, {"weaviate"}
    result = run(container, "db-check", "--strict")
    assert (result.exit_code, "Down: redis" in result.output) == (1, True)


@pytest.mark.parametrize(
    ("down", "strict", "code"), [(set(), [], 0), ({"redis"}, [], 0), ({"redis"}, ["--strict"], 1), ({"postgres"}, [], 1)]
)
def test_health_check_asks_a_running_gateway(down: set[str], strict: list[str], code: int) -> None:
    other = FakeContainer()
    other.poller.down = down
    result = run(FakeContainer(http=Front(other)), "health-check", "--url", "http://gateway:3001/", *strict)
    assert result.exit_code == code
    assert "configurationService: healthy" in result.output


def test_health_check_of_a_gateway_that_does_not_answer() -> None:
    result = run(FakeContainer(http=Silence()), "health-check", "--json")
    assert (result.exit_code, json.loads(result.output)["status"]) == (1, "unreachable")
    assert json.loads(result.output)["url"] == "http://127.0.0.1:3001"


def test_validate_setup_prints_the_six_rows() -> None:
    healthy = Answer(200, {}, b'{"status": "healthy"}')
    container = FakeContainer(http=Front(FakeContainer(), {"/health": healthy}))
    container.settings = settings(DRAGONFLY_URL="redis://127.0.0.1:1/0")
    result = run(container, "validate-setup")
    rows = [line for line in result.output.splitlines() if " - " in line]
    assert [row.split(" ", 1)[1].split(" - ")[0] for row in rows] == [
        "Enhanced Server File",
        "Required Dependencies",
        "Configuration Service",
        "Database Connectivity",
        "File Structure",
        "Environment Variables",
    ]
    assert "✅ Configuration Service - PASSED (" in result.output


def test_validate_setup_says_what_is_missing() -> None:
    container = FakeContainer(http=Silence())
    container.poller.down = {"postgres"}
    result = run(container, "validate-setup", "--json")
    failed = {check["name"]: check["detail"] for check in json.loads(result.output)["checks"] if not check["passed"]}
    assert result.exit_code == 1
    assert failed["Configuration Service"] == "The service cannot be reached"
    assert failed["Database Connectivity"] == "down: postgres"
    assert "DRAGONFLY_URL" in failed["Environment Variables"]


@pytest.mark.parametrize("body", [b"[]", b"{}", b"<html>"])
def test_validate_setup_notices_that_somebody_else_answers(body: bytes) -> None:
    container = FakeContainer(http=Front(FakeContainer(), {"/health": Answer(200, {}, body)}))
    result = run(container, "validate-setup", "--json")
    failed = {check["name"] for check in json.loads(result.output)["checks"] if not check["passed"]}
    assert (result.exit_code, "Configuration Service" in failed) == (1, True)


def test_test_deployment_runs_nine_checks() -> None:
    result = run(gateway(), "test-deployment", "--url", "http://gateway:3001")
    assert [name for name in NINE if f"✅ {name} - PASSED (" in result.output] == NINE, result.output
    assert (result.exit_code, "9 of 9 checks passed" in result.output) == (0, True)


def test_test_deployment_says_which_failed() -> None:
    broken = Answer(503, {"content-type": "application/problem+json"}, b'{"message": "Not usable: postgres"}')
    result = run(gateway(**{"/readyz": broken}), "test-deployment", "--url", "http://gateway:3001", "--json")
    report = json.loads(result.output[result.output.index("{\n") :])  # the fake gateway logs into the same terminal
    assert (result.exit_code, report["passed"], [check["name"] for check in report["checks"]]) == (1, False, NINE)
    assert report["checks"][0]["detail"] == "/readyz answers 503: Not usable: postgres"


def test_test_deployment_of_nobody_fails_nine_times() -> None:
    result = run(FakeContainer(http=Silence()), "test-deployment", "--json")
    assert [check["passed"] for check in json.loads(result.output)["checks"]] == [False] * 9


@pytest.mark.parametrize("body", [b'{"ok": true}', b"[]", b'{"data": null}'])
def test_test_deployment_of_somebody_else_fails_in_words(body: bytes) -> None:
    paths = ("/livez", "/readyz", "/health", "/api", "/api/openapi.json", "/api/v1/status/databases", "/api/v1/services")
    answer = Answer(200, {"content-type": "application/json"}, body)
    result = run(gateway(**dict.fromkeys(paths, answer)), "test-deployment", "--url", "http://gateway:3001")
    assert (result.exit_code, isinstance(result.exception, SystemExit)) == (1, True)
    assert "❌ Health Check - FAILED" in result.output
    assert "what answers there does not answer as a gateway does" in result.output


def test_test_deployment_sends_the_token() -> None:
    container = gateway()
    run(container, "test-deployment", "--token", "secret-token")
    assert {headers["Authorization"] for headers in container.http.sent} == {"Bearer secret-token"}


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"PORT": "many"}, "PORT:"),
        ({"GATEWAY_TOKENS": "nonsense"}, "GATEWAY_TOKENS: entry 1"),
        ({"BIND_HOST": "0.0.0.0"}, "BIND_HOST:"),
    ],
)
def test_bad_settings_are_one_clear_line_and_exit_code_2(environment: dict[str, str], line: str) -> None:
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "db-check"]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith(f"Error: {line}")
    assert len(result.stderr.splitlines()) == 1
