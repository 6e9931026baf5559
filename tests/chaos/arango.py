"""ArangoDB whole: the double that the databases room speaks to and the one that the service graph speaks to, behind one port and login."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.doubles.arango_graph import ArangoGraphDouble
from tests.doubles.arangodb import ArangoDouble, QuietServer

PASSWORD = "secret"
WRITES = re.compile(r"\b(INSERT|UPDATE|UPSERT|REPLACE|REMOVE)\b")


@dataclass
class WholeArango(ArangoDouble):
    """`full` makes it a server in read-only mode: 403 with errorNum 1004 to every write, as `PUT /_admin/server/mode` does."""

    full: bool = False
    graphs: ArangoGraphDouble = field(default_factory=ArangoGraphDouble)

    def answer(self, method: str, path: str, body: Any, authorization: str) -> tuple[int, Any]:
        statement = (body or {}).get("query", "") if path.endswith("/_api/cursor") else ""
        of_graph = "/_api/gharial" in path or (statement and statement not in self.queries)
        if not of_graph:
            return super().answer(method, path, body, authorization)
        known = super().answer("GET", re.sub(r"/_api/.*", "/_api/version", path), None, authorization)
        if known[0] != 200:
            return known
        if self.full and (WRITES.search(statement) or (method == "POST" and "/_api/gharial" in path)):
            return 403, {"error": True, "code": 403, "errorNum": 1004, "errorMessage": "read only"}
        return self.graphs.answer(method, path, body)


@contextmanager
def running_arango() -> Iterator[WholeArango]:
    """The double, on a free loopback port."""
    with ArangoGraphDouble() as graphs:
        double = WholeArango(graphs=graphs, password=PASSWORD)
        with QuietServer(("127.0.0.1", 0), _handler_of(double)) as server:
            double.port = server.server_port
            thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
            thread.start()
            try:
                yield double
            finally:
                server.shutdown()
                thread.join(5)


def _handler_of(double: WholeArango) -> type[BaseHTTPRequestHandler]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65_536
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            arguments = (self.command, self.path.partition("?")[0], json.loads(text) if text else None)
            with lock:
                status, body = double.answer(*arguments, self.headers.get("Authorization", ""))
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _serve  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
