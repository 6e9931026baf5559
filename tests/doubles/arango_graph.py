"""ArangoDB's HTTP API as the service graph uses it: the named graph, and the statements of gateway/topology/arangodb.py.

AQL is not interpreted: each statement is known by its text and answered by Python that means the same; any other is refused as ArangoDB
refuses a syntax error. So this proves the protocol and our use of the answers, not the AQL itself: `make test-real` does that.
"""

import json
import re
import threading
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from gateway.topology import arangodb as statements

Document = dict[str, Any]
BATCH = 100


class ArangoGraphDouble:
    """One database of a single server, in memory. `with ArangoGraphDouble() as double: … double.url`."""

    def __init__(self) -> None:
        self.graph: Document | None = None
        self.collections: dict[str, dict[str, Document]] = {}
        self.conflicts: list[tuple[str, int]] = []  # statements to refuse once, each with its errorNum
        self._cursors: dict[str, list[Any]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._answers: dict[str, Callable[..., list[Any]]] = {
            _normal(text): answer
            for text, answer in (
                (statements.KEEP_NODES, self._keep_nodes),
                (statements.KEEP_EDGES, self._keep_edges),
                (statements.FORGET_EDGES, self._forget_edges),
                (statements.FORGET_TITLES, self._forget_titles),
                (statements.FORGET_NODES, self._forget_nodes),
                (statements.KEEP_REFRESH, self._keep_refresh),
                (statements.ALL_NODES, lambda: list(self._nodes.values())),
                (statements.ALL_EDGES, lambda: list(self._edges.values())),
                (statements.EDGES_OF_ORIGIN, lambda origin: [edge for edge in self._edges.values() if edge["origin"] == origin]),
                (statements.ALL_REFRESHES, lambda: [{"origin": key, "at": item["at"]} for key, item in self._refreshes.items()]),
                (statements.FIND_NODE, lambda key: [self._nodes[key]["_id"]] if key in self._nodes else []),
                (statements.WALK, self._walk),
                (
                    statements.EDGES_AMONG,
                    lambda ids: [edge for edge in self._edges.values() if edge["_from"] in ids and edge["_to"] in ids],
                ),
            )
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def answer(self, method: str, path: str, body: Document | None) -> tuple[int, Document]:
        """What ArangoDB answers to one call: its status and body."""
        if re.fullmatch(r"/_db/_system/_api/database(?:/\w+)?|/_db/\w+/_api/collection", path):
            return (201 if method == "POST" else 200), {"error": False, "name": (body or {}).get("name"), "result": True}
        if match := re.fullmatch(r"/_db/\w+/_api/(gharial|cursor)(?:/(\w+))?", path):
            if match.group(1) == "gharial":
                return self._gharial(method, match.group(2), body or {})
            if method == "POST" and match.group(2) is None:
                return self._query(body or {})
            if match.group(2) in self._cursors:
                return self._batch(match.group(2)) if method in {"PUT", "POST"} else self._close(match.group(2))
        return _refused(404, 404, "unknown path")

    def _gharial(self, method: str, name: str | None, body: Document) -> tuple[int, Document]:
        if method == "GET":
            found = self.graph is not None and self.graph["name"] == name
            return (200, {"error": False, "graph": self.graph}) if found else _refused(404, 1924, "graph not found")
        if method == "DELETE":
            missing = self.graph is None
            self.graph, self.collections = None, {}
            return _refused(404, 1924, "graph not found") if missing else (202, {"error": False, "removed": True})
        if self.graph is not None:
            return _refused(409, 1925, "graph already exists")
        self.graph = body
        (definition,) = body["edgeDefinitions"]
        names = {definition["collection"], *definition["from"], *definition["to"], *body["orphanCollections"]}
        self.collections = {name: {} for name in names}
        return 201, {"error": False, "graph": {"_key": body["name"], "_id": f"_graphs/{body['name']}", "_rev": "1", **body}}

    def _query(self, body: Document) -> tuple[int, Document]:
        answer = self._answers.get(_normal(body["query"]))
        if answer is None:
            return _refused(400, 1501, "syntax error, or a statement that this double does not know")
        if self.graph is None:
            return _refused(404, 1203, "collection or view not found")
        for text, number in self.conflicts:
            if _normal(text) == _normal(body["query"]):
                self.conflicts.remove((text, number))
                return _refused(409, number, "conflict")
        result = json.loads(json.dumps(answer(**body.get("bindVars", {}))))
        cursor = str(len(self._cursors) + 1)
        self._cursors[cursor] = result
        return 201, self._batch(cursor)[1]

    def _batch(self, number: str) -> tuple[int, Document]:
        batch, rest = self._cursors[number][:BATCH], self._cursors[number][BATCH:]
        self._cursors[number] = rest
        more: Document = {"id": number} if rest else {}
        return 200, {"error": False, "code": 200, "result": batch, "hasMore": bool(rest), "cached": False, "extra": {}, **more}

    def _close(self, number: str) -> tuple[int, Document]:
        del self._cursors[number]
        return 202, {"error": False}

    @property
    def _nodes(self) -> dict[str, Document]:
        return self.collections[statements.NODES]

    @property
    def _edges(self) -> dict[str, Document]:
        return self.collections[statements.EDGES]

    @property
    def _refreshes(self) -> dict[str, Document]:
        return self.collections[statements.REFRESHES]

    def _keep_nodes(self, nodes: list[Document]) -> list[Any]:
        for node in nodes:
            kept = self._nodes.setdefault(node["_key"], {**node, "_id": f"{statements.NODES}/{node['_key']}"})
            kept["titles"] = {**kept["titles"], **node["titles"]}
        return []

    def _keep_edges(self, edges: list[Document]) -> list[Any]:
        for edge in edges:
            self._edges.setdefault(edge["_key"], edge)
        return []

    def _forget_edges(self, origin: str, keys: list[str]) -> list[Any]:
        for key in [key for key, edge in self._edges.items() if edge["origin"] == origin and key not in keys]:
            del self._edges[key]
        return []

    def _forget_titles(self, origin: str, keys: list[str]) -> list[Any]:
        for key, node in self._nodes.items():
            if key not in keys:
                node["titles"] = {said_by: title for said_by, title in node["titles"].items() if said_by != origin}
        return []

    def _forget_nodes(self) -> list[Any]:
        named = {end for edge in self._edges.values() for end in (edge["_from"], edge["_to"])}
        for key in [key for key, node in self._nodes.items() if not node["titles"] and node["_id"] not in named]:
            del self._nodes[key]
        return []

    def _keep_refresh(self, origin: str, at: str) -> list[Any]:
        self._refreshes[origin] = {"at": at}
        return []

    def _walk(self, root: str, depth: int, graph: str) -> list[Any]:
        if self.graph is None or self.graph["name"] != graph:
            raise AssertionError("walked a graph that does not exist")
        by_id = {node["_id"]: node for node in self._nodes.values()}
        distances, waiting = {root: 0}, deque([root])
        while waiting:
            here = waiting.popleft()
            for edge in self._edges.values():
                if edge["_to"] == here and edge["_from"] not in distances and distances[here] < depth:
                    distances[edge["_from"]] = distances[here] + 1
                    waiting.append(edge["_from"])
        return [
            {"id": node_id, "kind": by_id[node_id]["kind"], "name": by_id[node_id]["name"], "distance": distance}
            for node_id, distance in distances.items()
            if distance
        ]


def _normal(statement: str) -> str:
    return " ".join(statement.split())


def _refused(status: int, number: int, message: str) -> tuple[int, Document]:
    return status, {"error": True, "code": status, "errorNum": number, "errorMessage": message}


def _handler_of(double: ArangoGraphDouble) -> type[BaseHTTPRequestHandler]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65_536  # headers and body in one segment: two would wait for each other's acknowledgement
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            with lock:
                status, answer = double.answer(self.command, self.path.partition("?")[0], body)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - the names that http.server calls

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    return Handler
