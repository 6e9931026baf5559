"""A Configuration Service, Flow Registry and upstream service in one small HTTP server, with a gate in front of the upstream."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Platform:
    """Serves `flows` by id and the service `prices`, whose answer waits while the gate is shut."""

    def __init__(self, **flows: dict[str, Any]) -> None:
        self.flows = flows
        self.calls: list[dict[str, str]] = []  # headers of each call to the upstream
        self.called = threading.Semaphore(0)
        self.gate = threading.Event()
        self.gate.set()
        self.reports: list[dict[str, Any]] = []
        self.reported = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def serving(self) -> Iterator["Platform"]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield self
        finally:
            self.gate.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def answer(self, method: str, path: str, headers: dict[str, str], body: Any) -> tuple[int, Any]:
        parts = path.strip("/").split("/")
        if path == "/today":
            self.calls.append(headers)
            self.called.release()
            self.gate.wait(60)
            return 200, {"close": 12.5}
        if path in ("/api/v1/services", "/api/v1/services/discover/prices"):
            return 200, {"success": True, "data": [self._prices()] if path.endswith("services") else self._prices()}
        if method == "GET" and parts[:3] == ["api", "v1", "flows"] and parts[-1] in self.flows:
            return 200, {"success": True, "data": self.flows[parts[-1]]}
        if parts[-1] == "execute":
            return 202, {"success": True, "data": {"executionId": "registry-1"}}
        if parts[-1] == "status":
            self.reports.append(body)
            self.reported.set()
            return 200, {"success": True, "data": {}}
        return 404, {"error": "Not Found", "message": "Endpoint not found"}

    def _prices(self) -> dict[str, Any]:
        instance = {"id": "p1", "host": "127.0.0.1", "port": self.port, "protocol": "http", "capabilities": [], "metadata": {}}
        return {"name": "prices", "status": "healthy", "instances": [instance], **instance}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        platform = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                raw = self.rfile.read(length)
                headers = {name.lower(): value for name, value in self.headers.items()}
                status, answer = platform.answer(self.command, self.path.partition("?")[0], headers, json.loads(raw) if raw else None)
                body = json.dumps(answer).encode()
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    self.close_connection = True  # the caller was killed

            do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - the names that http.server calls

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler
