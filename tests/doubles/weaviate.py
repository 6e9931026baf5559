"""A double of Weaviate over real sockets: REST and gRPC, as far as the gateway uses them; any other call is refused and recorded.

Vectors are the caller's own, compared by cosine distance, exactly. The gRPC door is in weaviate_grpc.py, GraphQL in weaviate_graphql.py.
Source: https://docs.weaviate.io/weaviate/api/rest
"""

import json
import math
import re
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.doubles.arangodb import QuietServer
from tests.doubles.weaviate_graphql import QueryRefused, execute
from tests.doubles.weaviate_grpc import grpc_door

API_KEY = "secret"


@dataclass
class StoredObject:
    """One object: its properties as JSON, and its own vector."""

    properties: dict[str, Any]
    vector: tuple[float, ...]


@dataclass
class WeaviateDouble:
    """The state behind both sockets."""

    api_key: str = API_KEY
    version: str = "1.34.0"
    classes: dict[str, Any] = field(default_factory=dict)
    objects: dict[str, dict[str, StoredObject]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    port: int = 0
    grpc_port: int = 0
    serving: bool = True
    full: bool = False
    auto_schema: bool = True  # as a server has it by default

    def answer(self, method: str, path: str, body: Any, authorization: str) -> tuple[int, Any]:  # noqa: PLR0911 - one line a call
        """Status and body for one REST request; a body of None is empty."""
        if authorization != f"Bearer {self.api_key}":
            return 401, {"code": 401, "message": "invalid api key, please provide a valid api key"}
        call = f"{method} {path}"
        if self.full and method in {"POST", "PUT", "PATCH", "DELETE"} and path != "/v1/graphql":
            return 507, {"error": [{"message": "no space left on device"}]}
        if call == "GET /v1/meta":
            return 200, {"hostname": "http://[::]:8080", "modules": {}, "version": self.version, "grpcMaxMessageSize": 104858000}
        if call == "GET /v1/.well-known/ready":
            return (200 if self.serving else 503), None
        if call == "POST /v1/graphql":
            return self._graphql(body)
        if match := re.fullmatch(r"(GET|POST|DELETE) /v1/schema(?:/(\w+))?", call):
            return self._schema(match.group(1), match.group(2), body)
        if match := re.fullmatch(r"(POST|PUT|DELETE|HEAD|GET) /v1/objects(?:/(\w+)/([-0-9a-f]+))?", call):
            return self._object(match.group(1), match.group(2), match.group(3), body)
        self.refused.append(call)
        return 404, {"code": 404, "message": f"path {path} was not found"}

    def put(self, collection: str, identity: str, properties: Mapping[str, Any], vector: tuple[float, ...]) -> str | None:
        """Store one object; the reason when it cannot be stored."""
        if self.full:
            return "no space left on device"
        if collection not in self.classes:
            if not self.auto_schema:
                return f"class {collection} not found in schema"
            self._create({"class": collection, "properties": [{"name": name, "dataType": ["text"]} for name in properties]})
        known = {stored.vector for stored in self.objects[collection].values() if stored.vector}
        if vector and any(len(other) != len(vector) for other in known):
            return "vector lengths don't match"
        self.objects[collection][identity] = StoredObject(dict(properties), vector)
        return None

    def nearest(self, collection: str, vector: tuple[float, ...], limit: int) -> list[tuple[str, StoredObject, float]]:
        """Objects with a vector, the nearest first, with their cosine distance."""
        found = [(key, stored, _distance(vector, stored.vector)) for key, stored in self.objects[collection].items() if stored.vector]
        return sorted(found, key=lambda item: (item[2], item[0]))[:limit]

    def _graphql(self, body: Any) -> tuple[int, Any]:
        try:
            return 200, {"data": execute(body["query"], body.get("variables") or {}, self._rows())}
        except QueryRefused as error:
            return 200, {"data": None, "errors": [{"message": str(error)}]}

    def _rows(self) -> dict[str, list[dict[str, Any]]]:
        return {
            name: [{**stored.properties, "_additional": {"id": key}} for key, stored in stored_objects.items()]
            for name, stored_objects in self.objects.items()
        }

    def _schema(self, method: str, name: str | None, body: Any) -> tuple[int, Any]:
        if method == "POST":
            if body["class"] in self.classes:
                return 422, {"error": [{"message": f"class name {body['class']} already exists"}]}
            self._create(body)
            return 200, self.classes[body["class"]]
        if name is None:
            return 200, {"classes": list(self.classes.values())}
        if method == "DELETE":
            self.classes.pop(name, None)
            self.objects.pop(name, None)
            return 200, None
        return (200, self.classes[name]) if name in self.classes else (404, None)

    def _create(self, body: dict[str, Any]) -> None:
        indexed = {"indexFilterable": True, "indexSearchable": True, "tokenization": "word"}
        properties = [{**indexed, **each} for each in body.get("properties", ())]
        self.classes[body["class"]] = {"vectorizer": "none", "vectorIndexType": "hnsw", **body, "properties": properties}
        self.objects[body["class"]] = {}

    def _object(self, method: str, collection: str | None, identity: str | None, body: Any) -> tuple[int, Any]:
        if method in {"POST", "PUT"}:
            vector = tuple(body.get("vector") or (body.get("vectors") or {}).get("default") or ())
            key = identity or body.get("id") or str(uuid.uuid4())
            problem = self.put(body["class"], key, body.get("properties") or {}, vector)
            return (422, {"error": [{"message": problem}]}) if problem else (200, {**body, "id": key})
        held = self.objects.get(collection or "", {})
        if identity not in held:
            return 404, None
        if method == "DELETE":
            del held[identity]
            return 204, None
        stored = held[identity]
        body = {"class": collection, "id": identity, "properties": stored.properties, "vector": list(stored.vector)}
        return (204, None) if method == "HEAD" else (200, body)


def _distance(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    lengths = math.hypot(*one) * math.hypot(*other)
    return 1.0 - math.fsum(a * b for a, b in zip(one, other, strict=True)) / lengths if lengths else 1.0


@contextmanager
def running_weaviate() -> Iterator[WeaviateDouble]:
    """The double, on two free loopback ports."""
    double = WeaviateDouble()
    pool = ThreadPoolExecutor(4)
    channel = grpc_door(double, pool)
    with QuietServer(("127.0.0.1", 0), _handler(double)) as server:
        double.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield double
        finally:
            server.shutdown()
            thread.join(5)
            channel.stop(0).wait(5)
            pool.shutdown()


@dataclass
class ControlledWeaviate:
    """The double in another process."""

    port: int
    grpc_port: int
    process: "subprocess.Popen[str]"

    def tell(self, **attributes: Any) -> None:
        """Set attributes of the double; returns when they are set."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(attributes) + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"


@contextmanager
def controlled_weaviate() -> Iterator[ControlledWeaviate]:
    """The double in a process of its own. gRPC's fork handling gives up where a server of its own runs."""
    command = [sys.executable, "-c", "from tests.doubles.weaviate import serve_until_told; serve_until_told()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        rest, grpc_port = process.stdout.readline().split()
        try:
            yield ControlledWeaviate(int(rest), int(grpc_port), process)
        finally:
            process.communicate(timeout=10)


@contextmanager
def weaviate_process() -> Iterator[tuple[int, int]]:
    """Its two ports, for those who need nothing else."""
    with controlled_weaviate() as double:
        yield double.port, double.grpc_port


def serve_until_told() -> None:
    """Print the two ports, then set the attributes that each line of standard input holds as JSON, until it ends."""
    with running_weaviate() as double:
        print(double.port, double.grpc_port, flush=True)  # noqa: T201 - what the parent process waits for
        for line in sys.stdin:
            for name, value in json.loads(line).items():
                setattr(double, name, value)
            print("done", flush=True)  # noqa: T201 - the same


def _handler(double: WeaviateDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.partition("?")[0]
            status, body = double.answer(self.command, path, json.loads(text) if text else None, self.headers.get("Authorization", ""))
            raw = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _serve  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
