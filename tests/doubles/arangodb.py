"""A double of ArangoDB over a real socket: the HTTP calls that the gateway makes, answered as ArangoDB 3.12 does; any other is refused.

It runs no AQL. A test says which texts it knows, with the nodes of their plan and the rows they give; an unknown text is a parse error.
Source: https://docs.arangodb.com/3.12/develop/http-api/
"""

import base64
import itertools
import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Rows = Callable[[Mapping[str, Any]], Iterable[Any]]


@dataclass(frozen=True)
class KnownQuery:
    """One AQL text. `nodes` are the types of its plan's nodes; `seconds` is how long it runs before its first row."""

    nodes: tuple[str, ...]
    rows: Rows
    seconds: float = 0.0


@dataclass
class ArangoDouble:
    """The state behind the socket."""

    password: str = "secret"
    version: str = "3.12.4"
    databases: frozenset[str] = frozenset({"_system", "gateway"})
    queries: dict[str, KnownQuery] = field(default_factory=dict)
    executed: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    cursors: dict[str, Iterator[Any]] = field(default_factory=dict)
    port: int = 0

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)

    def knows(self, text: str, rows: Rows, *, nodes: tuple[str, ...] = (), seconds: float = 0.0) -> None:
        """Let this AQL text be understood."""
        self.queries[text] = KnownQuery(("SingletonNode", *nodes, "ReturnNode"), rows, seconds)

    def answer(self, method: str, path: str, body: Any, authorization: str) -> tuple[int, Any]:  # noqa: PLR0911 - one line a call
        """Status and body for one request."""
        match = re.fullmatch(r"/_db/([^/]+)(/.*)", path)
        if authorization != "Basic " + base64.b64encode(f"root:{self.password}".encode()).decode():
            return _error(401, 11, "not authorized to execute this request")
        if not match or match.group(1) not in self.databases:
            return _error(404, 1228, "database not found")
        call = f"{method} {match.group(2)}"
        if call == "GET /_api/version":
            return 200, {"server": "arango", "license": "community", "version": self.version}
        if call == "POST /_api/explain":
            return self._explain(body)
        if call == "POST /_api/cursor":
            return self._open(body)
        if cursor := re.fullmatch(r"(PUT|POST|DELETE) /_api/cursor/(\d+)", call):
            return self._close(cursor.group(2)) if cursor.group(1) == "DELETE" else self._batch(cursor.group(2), 100, 200)
        self.refused.append(call)
        return _error(404, 404, "unknown path")

    def _explain(self, body: Any) -> tuple[int, Any]:
        query = self.queries.get(body["query"])
        if query is None:
            return _error(400, 1501, f"syntax error, unexpected identifier near '{body['query'][:20]}'")
        missing = [name for name in re.findall(r"@(\w+)", body["query"]) if name not in body.get("bindVars", {})]
        if missing:
            return _error(400, 1551, f"no value specified for declared bind parameter '{missing[0]}'")
        return 200, {"plan": {"nodes": [{"type": kind, "id": number} for number, kind in enumerate(query.nodes, 1)]}, "error": False}

    def _open(self, body: Any) -> tuple[int, Any]:
        status, problem = self._explain(body)
        if status != 200:
            return status, problem
        query = self.queries[body["query"]]
        limit = float(body.get("maxRuntime") or 0)
        if limit and query.seconds > limit:
            time.sleep(limit)
            return _error(410, 1500, "query killed")
        time.sleep(query.seconds)
        self.executed.append(body["query"])
        name = str(next(self._numbers))
        self.cursors[name] = iter(query.rows(body.get("bindVars", {})))
        return self._batch(name, int(body.get("batchSize", 1000)), 201)

    def _batch(self, name: str, size: int, status: int) -> tuple[int, Any]:
        rows = self.cursors.get(name)
        if rows is None:
            return _error(404, 1600, "cursor not found")
        batch = list(itertools.islice(rows, size))
        more = len(batch) == size
        if not more:
            del self.cursors[name]
        body = {"result": batch, "hasMore": more, "cached": False, "error": False, "code": status}
        return status, body | ({"id": name} if more else {})

    def _close(self, name: str) -> tuple[int, Any]:
        if self.cursors.pop(name, None) is None:
            return _error(404, 1600, "cursor not found")
        return 202, {"id": name, "error": False, "code": 202}


def _error(status: int, number: int, message: str) -> tuple[int, Any]:
    return status, {"error": True, "code": status, "errorNum": number, "errorMessage": message}


@contextmanager
def running_arangodb() -> Iterator[ArangoDouble]:
    """The double, on a free loopback port."""
    double = ArangoDouble()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.partition("?")[0]
            status, body = double.answer(self.command, path, json.loads(text) if text else None, self.headers.get("Authorization", ""))
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _serve  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with QuietServer(("127.0.0.1", 0), Handler) as server:
        double.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield double
        finally:
            server.shutdown()
            thread.join(5)


class QuietServer(ThreadingHTTPServer):
    """A client that hangs up in mid-answer is what these tests are about, not a traceback."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing."""
