"""The platform's own Configuration Service, as far as its traits were observed, over a real socket.

See README.md beside this file. It is strict where that one is strict and lacks what that one lacks; wrong calls are answered as there.
"""

import json
import re
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

FLOW_FIELDS = {"id", "name", "type", "version", "description", "createdBy", "tags", "metadata", "nodes", "edges", "environment"}
FLOW_FIELDS |= {"parameters", "credentials", "triggers", "schedule", "retryPolicy", "dependencies"}
REQUIRED = ("id", "name", "type", "version", "createdBy", "nodes", "edges")
TYPES = ("langgraph_workflow", "ai_brain_validation", "chain_mapping", "custom")
Reply = tuple[int, Any]


@dataclass(frozen=True)
class SeenRequest:
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class PlatformConfigurationService:
    """Answers on a free port of 127.0.0.1 between `start` and `stop`; keeps its port and its data over both."""

    config: dict[str, Any] = field(default_factory=dict)
    flows: dict[str, dict[str, Any]] = field(default_factory=dict)
    executions: dict[str, dict[str, Any]] = field(default_factory=dict)
    seen: list[SeenRequest] = field(default_factory=list)
    failing_with: int | None = None
    port: int = 0
    _server: ThreadingHTTPServer | None = None
    _thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        service = self

        class Handler(_Handler):
            answer = staticmethod(service.answer)

        self._server = _Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Refuse connections from now on; those that are open are closed."""
        if self._server and self._thread:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join(5)
            self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def activate(self, flow_id: str) -> None:
        """What an operator does by SQL there: the service offers no way."""
        self.flows[flow_id]["status"] = "active"

    def count(self, method: str, path: str) -> int:
        """How often this was asked."""
        return sum(1 for request in self.seen if (request.method, request.path) == (method, path))

    def answer(self, request: SeenRequest, query: dict[str, list[str]]) -> Reply:
        self.seen.append(request)
        if self.failing_with:
            return self.failing_with, {"error": "Internal Server Error", "message": "Something went wrong"}
        for method, pattern, handle in self._routes():
            match = re.fullmatch(pattern, request.path)
            if match and method == request.method:
                return handle(request, query, *(unquote(part) for part in match.groups()))
        return 404, {"error": "Not Found", "message": f"Route {request.method} {request.path} not found"}

    def _routes(self) -> list[tuple[str, str, Callable[..., Reply]]]:
        return [
            ("GET", "/health", self._health),
            ("GET", "/api/config/([^/]+)", self._show_config),
            ("POST", "/api/v1/flows", self._register),
            ("GET", "/api/v1/flows", self._list),
            ("PUT", "/api/v1/flows/executions/([^/]+)/status", self._report),
            ("POST", "/api/v1/flows/([^/]+)/execute", self._execute),
            ("GET", "/api/v1/flows/([^/]+)", self._show),
            ("PUT", "/api/v1/flows/([^/]+)", self._replace),
            ("DELETE", "/api/v1/flows/([^/]+)", self._archive),
        ]

    def _health(self, *_: Any) -> Reply:
        return 200, {"status": "healthy", "service": "configuration-service", "version": "1.0.0", "uptime": 1, "environment": "test"}

    def _show_config(self, _request: SeenRequest, _query: Any, key: str) -> Reply:
        if key not in self.config:
            return _not_found("Configuration not found")
        return 200, {"success": True, "config": {"key": key, "value": self.config[key], "type": "string", "environment": "development"}}

    def _register(self, request: SeenRequest, _query: Any) -> Reply:
        problems = _problems(request.body)
        if problems:
            return 400, {"error": "Bad Request", "message": "Invalid flow definition", "details": problems}
        body = request.body
        if any((each["name"], each["version"]) == (body["name"], body["version"]) for each in self.flows.values()):
            return 409, {"error": "Conflict", "message": "Flow with this name and version already exists"}
        if body["id"] in self.flows:
            return 500, {"error": "Internal Server Error", "message": "Failed to register flow"}
        moments = {"createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z"}
        absent = dict.fromkeys(("description", "schedule", "retryPolicy"))
        self.flows[body["id"]] = {**absent, "tags": [], "dependencies": [], **body, **moments, "status": "draft"}
        return 201, {"success": True, "message": "Flow registered successfully", "data": self.flows[body["id"]]}

    def _list(self, _request: SeenRequest, query: dict[str, list[str]]) -> Reply:
        status = query.get("status", ["active"])[0]
        page, limit = (int(query.get(name, [default])[0]) for name, default in (("page", "1"), ("limit", "20")))
        found = [each for each in self.flows.values() if each["status"] == status]
        pages = -(-len(found) // limit)
        pagination = {"page": page, "limit": limit, "totalCount": len(found), "totalPages": pages}
        pagination |= {"hasNext": page < pages, "hasPrev": page > 1}
        start = (page - 1) * limit
        return 200, {"success": True, "message": "OK", "data": found[start : start + limit], "pagination": pagination}

    def _show(self, _request: SeenRequest, _query: Any, flow_id: str) -> Reply:
        if flow_id not in self.flows:
            return _not_found("Flow not found")
        return 200, {"success": True, "message": "OK", "data": self.flows[flow_id]}

    def _replace(self, request: SeenRequest, _query: Any, flow_id: str) -> Reply:
        if flow_id not in self.flows:
            return _not_found("Flow not found")
        problems = _problems(request.body)
        if problems:
            return 400, {"error": "Bad Request", "message": "Invalid flow definition", "details": problems}
        self.flows[flow_id] |= request.body | {"updatedAt": "2026-01-02T00:00:00.000Z"}
        return 200, {"success": True, "message": "Flow updated successfully", "data": self.flows[flow_id]}

    def _archive(self, _request: SeenRequest, _query: Any, flow_id: str) -> Reply:
        if flow_id not in self.flows:
            return _not_found("Flow not found")
        self.flows[flow_id]["status"] = "archived"
        return 204, None

    def _execute(self, request: SeenRequest, _query: Any, flow_id: str) -> Reply:
        if flow_id not in self.flows:
            return _not_found("Flow not found")
        if self.flows[flow_id]["status"] != "active":
            return 400, {"error": "Bad Request", "message": "Flow is not active"}
        execution_id = str(uuid.uuid4())
        self.executions[execution_id] = {"executionId": execution_id, "flowId": flow_id, "status": "running", **request.body}
        return 202, {"success": True, "message": "Flow execution started", "data": self.executions[execution_id]}

    def _report(self, request: SeenRequest, _query: Any, execution_id: str) -> Reply:
        if execution_id not in self.executions:
            return _not_found("Execution not found")
        self.executions[execution_id] |= request.body
        return 200, {"success": True, "message": "OK", "data": self.executions[execution_id]}


def _not_found(message: str) -> Reply:
    return 404, {"error": "Not Found", "message": message}


def _problems(body: Any) -> list[dict[str, Any]]:
    """Joi's, with its three members."""
    if not isinstance(body, dict):
        return [_problem('"value" must be of type object', [], "object.base")]
    found = [_problem(f'"{name}" is required', [name], "any.required") for name in REQUIRED if name not in body]
    found += [_problem(f'"{name}" is not allowed', [name], "object.unknown") for name in body if name not in FLOW_FIELDS]
    found += [
        _problem(f'"{name}" must be a string', [name], "string.base")
        for name in ("description", "schedule")
        if name in body and not isinstance(body[name], str)
    ]
    if body.get("type") not in TYPES:
        found.append(_problem(f'"type" must be one of [{", ".join(TYPES)}]', ["type"], "any.only"))
    found += [
        _problem(f'"edges[{at}].id" is required', ["edges", at, "id"], "any.required")
        for at, edge in enumerate(body.get("edges", []))
        if "id" not in edge
    ]
    return found


def _problem(message: str, path: list[str | int], kind: str) -> dict[str, Any]:
    return {"message": message, "path": path, "type": kind}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, *arguments: Any) -> None:
        self._connections: list[Any] = []
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.append(request)
        super().process_request(request, client_address)

    def server_close(self) -> None:
        super().server_close()
        for connection in self._connections:
            self.shutdown_request(connection)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answer: Callable[[SeenRequest, dict[str, list[str]]], Reply]

    def do_any(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = SeenRequest(self.command, parts.path, headers, json.loads(raw) if raw else None)
        status, body = type(self).answer(seen, parse_qs(parts.query))
        payload = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    do_GET = do_POST = do_PUT = do_DELETE = do_any  # noqa: N815 - names that http.server calls

    def log_message(self, *_: object) -> None:
        """Says nothing."""
