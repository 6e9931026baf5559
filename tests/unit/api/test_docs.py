"""The OpenAPI document describes what is served, and the page renders it from local files."""

import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from gateway.configuration.model import ConfigValue, Known, Source
from gateway.executions.model import ExecutionStatus
from gateway.recovery.problem_types import PROBLEM_TYPES
from tests.fakes.container import FLOW, FakeContainer, execution, pattern
from tests.fakes.edge import make_client
from tests.unit.api.test_reading import FakeQueries

HAPPY = [
    ("get", "/livez", "/livez", None),
    ("get", "/readyz", "/readyz", None),
    ("get", "/health", "/health", None),
    ("get", "/api", "/api", None),
    ("get", "/api/v1/status/databases", "/api/v1/status/databases", None),
    ("post", "/api/v1/databases/postgres/query", "/api/v1/databases/{name}/query", {"statement": "SELECT 1"}),
    ("get", "/api/v1/config/key", "/api/v1/config/{key}", None),
    ("get", "/api/v1/services", "/api/v1/services", None),
    ("get", "/api/v1/services/discover/orders", "/api/v1/services/discover/{name}", None),
    ("get", "/api/v1/flows", "/api/v1/flows", None),
    ("post", "/api/v1/flows", "/api/v1/flows", FLOW),
    ("get", "/api/v1/flows/greeting", "/api/v1/flows/{flowId}", None),
    ("post", "/api/v1/flows/greeting/validate", "/api/v1/flows/{flowId}/validate", None),
    ("post", "/api/v1/flows/greeting/execute", "/api/v1/flows/{flowId}/execute", {}),
    ("get", "/api/v1/flows/greeting/executions", "/api/v1/flows/{flowId}/executions", None),
    ("get", "/api/v1/executions/run-1", "/api/v1/executions/{executionId}", None),
    ("post", "/api/v1/executions/run-2/pause", "/api/v1/executions/{executionId}/{action}", {"reason": "maintenance"}),
    ("post", "/api/v1/executions/run-1/cancel", "/api/v1/executions/{executionId}/{action}", None),
    ("get", "/api/v1/analytics/requests?groupBy=route", "/api/v1/analytics/requests", None),
    ("get", "/api/v1/analytics/errors", "/api/v1/analytics/errors", None),
    ("get", "/api/v1/topology", "/api/v1/topology", None),
    ("get", "/api/v1/topology/service/orders/impact", "/api/v1/topology/{kind}/{name}/impact", None),
    ("get", "/api/v1/breakers", "/api/v1/breakers", None),
    ("post", "/api/v1/breakers/database:postgres/reset", "/api/v1/breakers/{name}/{action}", None),
    ("get", "/api/v1/recoveries?target=database:clickhouse&status=pending", "/api/v1/recoveries", None),
    ("get", "/api/v1/recoveries/recovery-1", "/api/v1/recoveries/{recoveryId}", None),
    ("get", "/api/v1/errors/patterns?type=UNKNOWN_ERROR&source=redis", "/api/v1/errors/patterns", None),
    ("get", f"/api/v1/errors/patterns/{pattern().pattern.facts.fingerprint}", "/api/v1/errors/patterns/{fingerprint}", None),
    ("get", "/api/v1/executions/nobody", "/api/v1/executions/{executionId}", None),
    ("get", "/api/v1/flows?limit=0", "/api/v1/flows", None),
]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document, as a client gets it."""
    body: dict[str, Any] = make_client().get("/api/openapi.json").get_json()
    return body


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    validate(document)


def test_the_examples_cover_every_path_that_answers_json(document: dict[str, Any]) -> None:
    others = {"/api/openapi.json", "/api/docs", "/api/docs/{name}", "/problems/{slug}", "/metrics"}
    assert {path for _, _, path, _ in HAPPY} == set(document["paths"]) - others


@pytest.mark.parametrize(("method", "address", "path", "body"), HAPPY)
def test_what_is_answered_is_what_is_described(document: dict[str, Any], method: str, address: str, path: str, body: Any) -> None:
    container = FakeContainer(queries=FakeQueries())
    container.executions.runs = {"run-1": execution(), "run-2": execution("run-2", ExecutionStatus.RUNNING)}
    container.configuration.values["key"] = Known(ConfigValue("key", 1, "number"), 0.0, stale=False, source=Source.SERVICE)
    response = make_client(container).open(address, method=method.upper(), json=body)
    described = document["paths"][path][method]["responses"][str(response.status_code)]
    schema = {**described["content"][response.mimetype]["schema"], "components": document["components"]}
    Draft202012Validator(schema).validate(response.get_json())


def test_a_guarded_operation_says_its_scope_and_a_public_one_needs_none(document: dict[str, Any]) -> None:
    assert "Scope: flows:write." in document["paths"]["/api/v1/flows"]["post"]["description"]
    assert document["paths"]["/livez"]["get"]["security"] == []


def test_a_path_variable_with_few_values_says_which(document: dict[str, Any]) -> None:
    parameters = document["paths"]["/api/v1/executions/{executionId}/{action}"]["post"]["parameters"]
    assert {each["name"]: each["schema"].get("enum") for each in parameters if each["in"] == "path"} == {
        "executionId": None,
        "action": ["cancel", "pause", "resume", "retry"],
    }


def test_whatever_may_answer_304_says_by_which_header(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for operation in item.values():
            asked = {parameter["name"] for parameter in operation.get("parameters", [])}
            assert ("304" in operation["responses"]) is ("If-None-Match" in asked), path


def test_the_flow_language_is_part_of_the_document(document: dict[str, Any]) -> None:
    schema = {**document["paths"]["/api/v1/flows"]["post"]["requestBody"]["content"]["application/json"]["schema"]}
    validator = Draft202012Validator({**schema, "components": document["components"]})
    validator.validate(FLOW)
    assert not validator.is_valid({**FLOW, "version": "one"})


def test_the_page_loads_only_local_files_and_nothing_inline() -> None:
    client = make_client()
    page = client.get("/api/docs")
    html = page.get_data(as_text=True)
    files = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert files
    assert all(client.get(file).status_code == 200 and file.startswith("/api/docs/") for file in files)
    assert re.findall(r"<script>|<style|style=|onload=", html) == []
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize("name", ["..%2f..%2fproblems.py", "docs.py", "start.css"])
def test_nothing_else_is_served(name: str) -> None:
    assert make_client().get(f"/api/docs/{name}").status_code == 404


def test_the_type_of_every_problem_is_a_page() -> None:
    client = make_client()
    for kind in PROBLEM_TYPES.values():
        page = client.get(kind.path)
        assert page.status_code == 200
        assert kind.title in page.get_data(as_text=True)
