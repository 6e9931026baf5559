"""The nine checks of a running gateway. Each raises when something is not as the contract says, and returns what it found."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from gateway.cli.report import CheckFailed, demand
from gateway.databases.model import DatabaseName
from gateway.outbound.answer import Answer
from gateway.outbound.client import HttpClient

CALL_SECONDS = 10.0
WAIT_SECONDS = 15
FLOW_ID = "deployment-check"
FLOW: dict[str, Any] = {
    "id": FLOW_ID,
    "name": "Deployment check",
    "type": "custom",
    "version": "1.0.0",
    "description": "Runs one node that needs nothing but the gateway and its worker",
    "createdBy": "test-deployment",
    "parameters": [{"name": "number", "type": "number", "required": True}],
    "nodes": [{"id": "double", "name": "Double", "type": "transform", "config": {"output": "${parameters.number * 2}"}}],
    "edges": [],
}
SECURITY_HEADERS = {"x-content-type-options": "nosniff", "x-frame-options": "SAMEORIGIN", "referrer-policy": "no-referrer"}


class Deployment:
    """A running gateway, seen from outside."""

    def __init__(self, http: HttpClient, base: str, token: str | None) -> None:
        self._http = http
        self._base = base
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def checks(self) -> list[tuple[str, Callable[[], str]]]:
        """The nine, by the names that are printed."""
        named: list[tuple[str, Callable[[], str]]] = [
            ("Health Check", self.health),
            ("Database Status", self.databases),
            ("Configuration Service", self.configuration_service),
            ("Service Discovery", self.service_discovery),
            ("Flow Registry", self.flow_registry),
            ("API Documentation", self.documentation),
            ("Security Headers", self.security_headers),
            ("Rate Limiting", self.rate_limiting),
            ("Error Handling", self.error_handling),
        ]
        return [(name, partial(_reading, check)) for name, check in named]

    def health(self) -> str:
        """It lives, is ready, and says how everything is."""
        for path in ("/livez", "/readyz", "/health"):
            self._get(path)
        status = self._get("/health").json()["data"]["status"]
        demand(status in {"healthy", "degraded"}, f"the gateway is {status}")
        return str(status)

    def databases(self) -> str:
        """All six are shown, and the one that must be there is there."""
        data = self._get("/api/v1/status/databases").json()["data"]
        demand(set(data["connections"]) == set(DatabaseName), "not all six databases are shown")
        demand(data["connections"]["postgres"], "PostgreSQL is not connected")
        return ", ".join(sorted(name for name, connected in data["connections"].items() if connected))

    def configuration_service(self) -> str:
        """It answers the gateway: a key that nobody set is not found, rather than unavailable."""
        status = self._get("/health").json()["data"]["services"]["configurationService"]["status"]
        answer = self._call("GET", "/api/v1/config/deployment-check.never-set")
        demand(answer.status == 404, f"reading a configuration value answers {answer.status}; the service is {status}")
        return str(status)

    def service_discovery(self) -> str:
        """Services are listed; one that nobody registered is not found."""
        listed = self._get("/api/v1/services").json()["data"]
        answer = self._call("GET", "/api/v1/services/discover/deployment-check-nobody")
        demand(answer.status == 404, f"discovering an unknown service answers {answer.status}")
        return f"{len(listed)} services"

    def flow_registry(self) -> str:
        """A flow is registered, read back, run by a worker, and its result is right."""
        registered = self._call("POST", "/api/v1/flows", json=FLOW)
        demand(registered.status in {201, 202, 409}, f"registering a flow answers {registered.status}: {_message(registered)}")
        demand(self._get(f"/api/v1/flows/{FLOW_ID}").json()["data"]["id"] == FLOW_ID, "another flow came back")
        body = {"parameters": {"number": 21}, "triggeredBy": "test-deployment"}
        wait = {"Prefer": f"wait={WAIT_SECONDS}"}
        started = self._call("POST", f"/api/v1/flows/{FLOW_ID}/execute", json=body, headers=wait, timeout_seconds=WAIT_SECONDS + 5)
        demand(started.status == 200, f"the flow did not end within {WAIT_SECONDS} s ({started.status}): {_message(started)}")
        execution = started.json()["data"]
        demand(execution["status"] == "completed", f"the execution {execution['executionId']} is {execution['status']}")
        demand(execution["result"] == 42, f"21 doubled is {execution['result']!r}")
        return f"execution {execution['executionId']}"

    def documentation(self) -> str:
        """The front page, the OpenAPI document and the page that renders it."""
        front = self._get("/api").json()
        document = self._get("/api/openapi.json").json()
        demand(str(document.get("openapi", "")).startswith("3.1"), "the document is not OpenAPI 3.1")
        demand(b"swagger" in self._get("/api/docs").body.lower(), "the page does not load Swagger UI")
        return f"{front['message']} {front['version']}, {len(document['paths'])} paths"

    def security_headers(self) -> str:
        """A browser is told what it may do, and pages of unknown origins get nothing."""
        headers = self._call("GET", "/api", headers={"Origin": "https://deployment-check.invalid"}).headers
        wrong = [name for name, value in SECURITY_HEADERS.items() if headers.get(name) != value]
        demand(not wrong, f"missing or wrong: {', '.join(wrong)}")
        demand("default-src" in headers.get("content-security-policy", ""), "there is no Content-Security-Policy")
        demand("access-control-allow-origin" not in headers, "any origin is allowed")
        return f"{len(SECURITY_HEADERS) + 1} headers"

    def rate_limiting(self) -> str:
        """Limited responses tell the limit; probes are not limited."""
        headers = self._get("/api").headers
        demand("ratelimit" in headers and "ratelimit-policy" in headers, "no RateLimit headers")
        demand("ratelimit" not in self._get("/livez").headers, "health probes are limited")
        return headers["ratelimit-policy"]

    def error_handling(self) -> str:
        """Errors are problems with the platform's envelope, under the caller's request id."""
        answer = self._call("GET", "/deployment-check/nowhere", headers={"X-Request-ID": "deployment-check"})
        demand(answer.status == 404, f"an unknown path answers {answer.status}")
        demand(answer.headers.get("content-type", "").startswith("application/problem+json"), "errors are not problem+json")
        demand(answer.headers.get("x-request-id") == "deployment-check", "the request id does not come back")
        body = answer.json()
        demand(body["code"] == "ENDPOINT_NOT_FOUND" and body["success"] is False, "the envelope is not the platform's")
        return str(body["code"])

    def _get(self, path: str) -> Answer:
        answer = self._call("GET", path)
        demand(answer.status == 200, f"{path} answers {answer.status}: {_message(answer)}")
        return answer

    def _call(
        self, method: str, path: str, *, json: Any = None, headers: Mapping[str, str] | None = None, timeout_seconds: float = CALL_SECONDS
    ) -> Answer:
        sent = {**self._headers, **(headers or {})}
        return self._http.request(method, self._base + path, headers=sent, json=json, timeout_seconds=timeout_seconds)


def _reading(check: Callable[[], str]) -> str:
    """What the check found, or that somebody else answers there.

    Raises:
        CheckFailed: an answer does not have the shape that the contract gives it.
    """
    try:
        return check()
    except (LookupError, TypeError, AttributeError) as error:
        raise CheckFailed("what answers there does not answer as a gateway does") from error


def _message(answer: Answer) -> str:
    if "json" not in answer.headers.get("content-type", ""):
        return "no JSON"
    body = answer.json()
    return str(body.get("message", "")) if isinstance(body, dict) else ""
