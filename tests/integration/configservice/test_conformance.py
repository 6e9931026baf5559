"""Every call of contracts/configuration-service.md, once, with its status and the shape under `data`."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

ENTRY = {"id", "key", "value", "type", "environment", "tenantId", "userId", "version", "updatedAt"}
INSTANCE = {"id", "host", "port", "protocol", "healthEndpoint", "capabilities", "metadata", "expiresAt"}
FLOW = {
    "id",
    "name",
    "type",
    "version",
    "description",
    "status",
    "createdBy",
    "createdAt",
    "updatedAt",
    "tags",
    "metadata",
    "nodes",
    "edges",
    "environment",
    "parameters",
    "credentials",
    "triggers",
    "schedule",
    "retryPolicy",
    "dependencies",
}
EXECUTION = {
    "id",
    "flowId",
    "executionId",
    "status",
    "parameters",
    "startedAt",
    "completedAt",
    "result",
    "errorMessage",
    "triggeredBy",
    "executionContext",
    "duration",
}
COUNTS = {"total_executions", "successful_executions", "failed_executions", "running_executions", "avg_duration_seconds"}
MakeFlow = Callable[..., dict[str, Any]]


@pytest.fixture
def call(config_client: FlaskClient) -> Callable[..., Any]:
    """Makes a call, checks its status and envelope, returns the whole body."""

    def make(method: str, path: str, expected: int = 200, /, **body: Any) -> Any:
        response = config_client.open(path, method=method, json=body or None, headers={"X-Service": "api-gateway"})
        assert response.status_code == expected, response.text
        if expected == 204:
            return None
        assert response.mimetype == "application/json"
        assert response.json is not None
        if expected < 400 and "/health" not in path and not path.startswith("/api/config/"):
            assert response.json["success"] is True
            assert isinstance(response.json["message"], str)
            assert "data" in response.json
        if expected >= 400:
            assert set(response.json) == {"error", "message", "details"}
        return response.json

    return make


def test_health_has_no_envelope(call: Callable[..., Any]) -> None:
    health = call("GET", "/health")
    assert set(health) == {"status", "service", "version", "uptime", "environment", "port", "timestamp"}
    assert (health["status"], health["port"]) == ("healthy", 8012)


def test_configuration(call: Callable[..., Any]) -> None:
    call("GET", "/api/v1/config?key=limits.max", 404)
    whole = {"description": "most at once", "tags": ["limits"], "isSecret": False, "environment": "production"}
    written = call("POST", "/api/v1/config", 201, key="limits.max", value=5, type="number", **whole)["data"]
    assert set(written) == ENTRY
    read = call("GET", "/api/v1/config?key=limits.max&environment=production&tenantId=t1&userId=u1")["data"]
    assert read == written
    assert (read["value"], read["type"], read["environment"], read["tenantId"], read["version"]) == (5, "number", "production", None, 1)
    platform = call("GET", "/api/config/limits.max?environment=production")
    assert platform == {"success": True, "config": read}
    call("POST", "/api/v1/config", 201, key="limits.max", value=6, type="number", environment="production")
    history = call("GET", "/api/v1/config/limits.max/history?environment=production")["data"]
    assert [(each["version"], each["value"]) for each in history] == [(2, 6), (1, 5)]
    restored = call("POST", "/api/v1/config/limits.max/rollback", version=1, environment="production")["data"]
    assert (restored["value"], restored["version"]) == (5, 3)
    changes = call("GET", "/api/v1/config/watch?since=0&wait=1")["data"]
    assert (changes["revision"], changes["keys"]) == (3, ["limits.max"])
    assert call("PUT", "/api/v1/tenants/t1/config", theme="dark", seats=3)["data"] == {"seats": 3, "theme": "dark"}
    assert call("GET", "/api/v1/tenants/t1/config")["data"] == {"seats": 3, "theme": "dark"}
    assert call("GET", "/api/v1/config?key=seats&tenantId=t1")["data"]["type"] == "number"


def test_services(call: Callable[..., Any]) -> None:
    registration = {
        "name": "prices",
        "version": "2.1.0",
        "host": "10.0.0.7",
        "port": 9000,
        "protocol": "http",
        "healthEndpoint": "/health",
        "capabilities": ["fetch_prices"],
        "metadata": {"nodeEndpoint": "/run"},
    }
    lease = call("POST", "/api/v1/services/register", 201, **registration)["data"]
    assert set(lease) == {"id", "ttlSeconds", "expiresAt"}
    again = call("POST", "/api/v1/services/register", 201, **registration, ttlSeconds=60)["data"]
    assert (again["id"], again["ttlSeconds"]) == (lease["id"], 60)
    assert call("PUT", f"/api/v1/services/{lease['id']}/heartbeat")["data"]["id"] == lease["id"]
    (service,) = call("GET", "/api/v1/services")["data"]
    assert set(service) == {"name", "version", "status", "instances"}
    assert (service["name"], service["version"], service["status"]) == ("prices", "2.1.0", "healthy")
    assert set(service["instances"][0]) == INSTANCE
    found = call("GET", "/api/v1/services/discover/prices")["data"]
    assert set(found) == {"name", "host", "port", "protocol", "status", "instances"}
    assert (found["host"], found["port"], found["instances"]) == ("10.0.0.7", 9000, service["instances"])
    assert call("GET", "/api/v1/services/statistics")["data"]["healthyInstances"] == 1
    call("DELETE", f"/api/v1/services/{lease['id']}", 204)
    call("GET", "/api/v1/services/discover/prices", 404)
    call("PUT", f"/api/v1/services/{lease['id']}/heartbeat", 404)


def test_flows(call: Callable[..., Any], make_flow: MakeFlow) -> None:
    registered = call("POST", "/api/v1/flows", 201, **make_flow("orders", tags=["shop"]))["data"]
    assert set(registered) == FLOW
    assert registered["status"] == "draft"
    call("POST", "/api/v1/flows", 409, **make_flow("orders", name="another name"))
    call("POST", "/api/v1/flows", 409, **make_flow("other-id", name="Flow orders"))
    assert call("GET", "/api/v1/flows/orders")["data"] == registered
    assert call("GET", "/api/v1/flows")["data"] == []
    replaced = call("PUT", "/api/v1/flows/orders", **make_flow("orders", status="active", description="new"))["data"]
    assert (replaced["status"], replaced["description"], replaced["createdAt"]) == ("active", "new", registered["createdAt"])
    query = "type=custom&status=active&createdBy=tests&tags=&page=1&limit=5&sortBy=name&sortOrder=asc&includeArchived=false"
    listed = call("GET", f"/api/v1/flows?{query}")
    assert listed["data"] == [replaced]
    assert listed["pagination"] == {"page": 1, "limit": 5, "totalCount": 1, "totalPages": 1, "hasNext": False, "hasPrev": False}
    call("DELETE", "/api/v1/flows/orders", 204)
    assert call("GET", "/api/v1/flows/orders")["data"]["status"] == "archived"


def test_refused_definitions_have_details_as_joi_writes_them(call: Callable[..., Any], make_flow: MakeFlow) -> None:
    refused = call("POST", "/api/v1/flows", 400, **make_flow("no spaces allowed", surprise=1))
    assert {tuple(each["path"]): each["type"] for each in refused["details"]} == {
        ("id",): "string.pattern.base",
        ("surprise",): "object.unknown",
    }
    assert all(set(each) == {"message", "path", "type"} for each in refused["details"])


@pytest.mark.parametrize("path", ["/api/v1/executions/{}/status", "/api/v1/flows/executions/{}/status"])
def test_executions(call: Callable[..., Any], make_flow: MakeFlow, path: str) -> None:
    call("POST", "/api/v1/flows", 201, **make_flow())
    body = {
        "parameters": {"symbol": "AAPL"},
        "environment": "production",
        "triggeredBy": "gateway",
        "executionContext": {"requestId": "r1"},
    }
    started = call("POST", "/api/v1/flows/orders/execute", 202, **body)["data"]
    assert set(started) == {"executionId", "flowId", "status", "startedAt", "parameters"}
    assert (started["flowId"], started["status"], started["parameters"]) == ("orders", "running", {"symbol": "AAPL"})
    ended = call("PUT", path.format(started["executionId"]), status="completed", result={"price": 1.5}, errorMessage=None)["data"]
    assert set(ended) == EXECUTION
    assert ended["duration"] >= 0
    listed = call("GET", "/api/v1/flows/orders/executions?status=completed&limit=10&offset=0&sortOrder=desc")
    assert listed["data"] == [ended]
    assert listed["pagination"]["totalCount"] == 1
    statistics = call("GET", "/api/v1/flows/orders/statistics")["data"]
    assert set(statistics) == {"flow", "executions", "successRate"}
    assert set(statistics["executions"]) == COUNTS
    assert statistics["successRate"] == 100


def test_dependencies_and_validation(call: Callable[..., Any], make_flow: MakeFlow) -> None:
    for flow_id in ("orders", "prices"):
        call("POST", "/api/v1/flows", 201, **make_flow(flow_id))
    call("POST", "/api/v1/flows/orders/dependencies", 201, dependsOnFlowId="prices", dependencyType="conditional", condition="x", timeout=5)
    graph = call("GET", "/api/v1/flows/orders/dependencies?recursive=true")["data"]
    assert set(graph) == {"flow", "dependencies", "dependents"}
    assert graph["dependencies"] == [
        {
            "flowId": "prices",
            "name": "Flow prices",
            "type": "custom",
            "status": "draft",
            "dependencyType": "conditional",
            "condition": {"condition": "x", "timeout": 5},
            "subDependencies": [],
        }
    ]
    assert [each["flowId"] for each in call("GET", "/api/v1/flows/prices/dependencies")["data"]["dependents"]] == ["orders"]
    validation = call("POST", "/api/v1/flows/orders/validate")["data"]
    assert set(validation) == {"flowId", "isValid", "errors", "warnings", "details"}
    assert set(validation["details"]) == {"nodesValidation", "edgesValidation", "dependenciesValidation", "credentialsValidation"}
    assert [set(each) for each in validation["details"]["nodesValidation"]] == [{"nodeId", "isValid", "issues"}] * 2
    assert validation["isValid"] is True


def test_the_registry_as_a_whole(call: Callable[..., Any], make_flow: MakeFlow) -> None:
    call("POST", "/api/v1/flows", 201, **make_flow())
    counts = call("GET", "/api/v1/flows/statistics/global")["data"]
    assert counts["flows"]["total_flows"] == 1
    assert set(counts["executions"]) == COUNTS
    assert set(call("GET", "/api/v1/flows/health")) == {"status", "timestamp", "service", "version", "uptime", "checks"}
    types = call("GET", "/api/v1/flows/types")["data"]
    assert set(types) == {"types", "statuses", "executionStatuses", "definitions"}
    assert types["types"] == ["langgraph_workflow", "ai_brain_validation", "chain_mapping", "custom"]


def test_every_route_of_the_app_is_walked_here(config_service: Flask) -> None:
    """A new route needs a place in the contract, and in this file."""
    routes = {(method, rule.rule) for rule in config_service.url_map.iter_rules() for method in (rule.methods or ()) - {"HEAD", "OPTIONS"}}
    assert len(routes) == 31, sorted(routes)
