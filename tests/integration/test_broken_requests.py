"""Raw bytes against both services as gunicorn runs them: what breaks HTTP is answered in the service's own shape, and holds up nobody."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from embedded.ports import remembered_port
from embedded.processes import end, spawn, wait_until

ROOT = Path(__file__).parents[2]
FLOWS = b"/api/v1/flows"
END = b"Host: x\r\nConnection: close\r\n\r\n"
CHUNKED = b"POST " + FLOWS + b" HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n" + END


class Answer(NamedTuple):
    """What came back, header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Service:
    """One of the two, on a port of its own."""

    def __init__(self, directory: Path, config: str, application: str, **variables: str) -> None:
        self.port = remembered_port(directory)
        self.log = directory / "log"
        environment = {**os.environ, "PORT": str(self.port), "CONFIG_SERVICE_PORT": str(self.port), "WEB_CONCURRENCY": "1", **variables}
        command = [sys.executable, "-m", "gunicorn", "-c", f"config/{config}", f"wsgi:{application}"]
        self.process: subprocess.Popen[bytes] = spawn(command, log=self.log, directory=ROOT, environment=environment)
        assert wait_until(self.answers, timeout_seconds=60), self.log.read_text()

    def answers(self) -> bool:
        try:
            return self.send(b"GET /health HTTP/1.1\r\n" + END).status > 0
        except OSError:
            return False

    def send(self, data: bytes, *, ends: bool = False) -> Answer:
        """These bytes, and what comes back until the service closes the connection; `ends`: the client's side closes first."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as client:
            client.sendall(data)
            if ends:
                client.shutdown(socket.SHUT_WR)
            received = b"".join(iter(lambda: client.recv(65536), b""))
        head, _, body = received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return Answer(int(first.split()[1]) if first else 0, headers, body)


@pytest.fixture(scope="module")
def make_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Service]]:
    made: list[Service] = []

    def make(config: str, application: str) -> Service:
        nobody = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none", "FLOW_REGISTRY_URL": "http://127.0.0.1:9"}
        settings = {"REQUEST_ARRIVAL_SECONDS": "0.5", "LOG_FORMAT": "json", "RATE_LIMIT_REQUESTS": "100000", **nobody}
        made.append(Service(tmp_path_factory.mktemp(application), config, application, **settings))
        return made[-1]

    yield make
    for service in made:
        end(service.process, signal.SIGQUIT, patience_seconds=5)


@pytest.fixture(scope="module")
def gateway(make_service: Callable[..., Service]) -> Service:
    return make_service("gunicorn.conf.py", "app")


@pytest.fixture(scope="module")
def registry(make_service: Callable[..., Service]) -> Service:
    return make_service("gunicorn_configservice.conf.py", "configuration_service")


BROKEN = {
    "request line too long": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + END, 414),
    "header too large": (b"GET / HTTP/1.1\r\nX-A: " + b"a" * 20_000 + b"\r\n" + END, 431),
    "too many headers": (b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: a\r\n" % number for number in range(150)) + END, 431),
    "no request line": (b"HELLO\r\n\r\n", 400),
    "bare newlines": (b"GET / HTTP/1.1\nHost: x\n\n", 400),
    "HTTP/0.9": (b"GET /\r\n\r\n", 400),
    "HTTP/9.9": (b"GET / HTTP/9.9\r\n" + END, 400),
    "bytes in the path": (b"GET /\xff HTTP/1.1\r\n" + END, 400),
    "no colon": (b"GET / HTTP/1.1\r\nnothing\r\n" + END, 400),
    "folded header": (b"GET / HTTP/1.1\r\nA: b\r\n c\r\n" + END, 400),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: y\r\n" + END, 400),
    "two lengths": (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n" + END, 400),
    "length and chunks": (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n" + END, 400),
    "unknown coding": (b"POST / HTTP/1.1\r\nTransfer-Encoding: foo\r\n" + END, 501),
    "unknown expectation": (b"GET / HTTP/1.1\r\nExpect: money\r\n" + END, 417),
    "broken chunk": (CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n", 400),
    "absurd host": (b"GET /health HTTP/1.1\r\nConnection: close\r\nHost: " + b"a" * 5000 + b"\r\n\r\n", 400),
}
broken = pytest.mark.parametrize(("data", "status"), BROKEN.values(), ids=BROKEN)


@broken
def test_the_gateway_answers_with_a_problem(gateway: Service, data: bytes, status: int) -> None:
    answer = gateway.send(data)
    assert (answer.status, answer.headers["content-type"], answer.headers["connection"]) == (status, "application/problem+json", "close")
    problem = answer.json()
    assert (problem["success"], problem["status"], problem["error"]["retryable"]) == (False, status, False)
    assert problem["requestId"] == answer.headers["x-request-id"]
    assert problem["message"] == problem["detail"]


@broken
def test_the_configuration_service_answers_with_its_own_shape(registry: Service, data: bytes, status: int) -> None:
    answer = registry.send(data)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/json")
    assert set(answer.json()) == {"error", "message", "details"}
    assert answer.headers["x-request-id"]


def test_a_refusal_is_a_line_of_the_request_log(gateway: Service) -> None:
    request_id = gateway.send(BROKEN["request line too long"][0]).headers["x-request-id"]
    lines = [json.loads(line) for line in gateway.log.read_text().splitlines() if request_id in line]
    assert [(line["event"], line["status"], line["method"]) for line in lines] == [("request_finished", 414, "UNKNOWN")]


def test_a_request_that_was_read_keeps_its_id_and_its_path(gateway: Service) -> None:
    head = b"POST " + FLOWS + b" HTTP/1.1\r\nX-Request-ID: mine\r\nContent-Length: 1\r\nContent-Length: 2\r\n"
    answer = gateway.send(head + END)
    assert (answer.headers["x-request-id"], answer.json()["instance"]) == ("mine", "/api/v1/flows")


def posting(length: int, body: bytes, *lines: bytes) -> bytes:
    head = [b"POST " + FLOWS + b" HTTP/1.1", b"Content-Type: application/json", b"Content-Length: %d" % length, *lines]
    return b"\r\n".join(head) + b"\r\n" + END + body


@pytest.mark.parametrize("name", ["gateway", "registry"])
@pytest.mark.parametrize("data", [b"", posting(50, b"{")], ids=["head", "body"])
def test_a_request_that_stalls_is_ended(name: str, data: bytes, request: pytest.FixtureRequest) -> None:
    service: Service = request.getfixturevalue(name)
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as client:
        client.sendall(data or b"GET /health HT")
        if not data:  # the head is looked at again when a byte comes, and it is late by then
            time.sleep(0.6)
            client.sendall(b"T")
        assert client.recv(65536).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("name", ["gateway", "registry"])
def test_slow_heads_hold_up_nobody(name: str, request: pytest.FixtureRequest) -> None:
    service: Service = request.getfixturevalue(name)
    slow = [socket.create_connection(("127.0.0.1", service.port), timeout=30) for _ in range(50)]  # six times its threads
    try:
        for client in slow:
            client.sendall(b"GET /health HTTP/1.1\r\nX-Slow: ")
        assert service.send(b"GET /health HTTP/1.1\r\n" + END).status in {200, 503}
    finally:
        for client in slow:
            client.close()


@pytest.mark.parametrize("name", ["gateway", "registry"])
def test_a_body_that_ends_early_is_refused(name: str, request: pytest.FixtureRequest) -> None:
    service: Service = request.getfixturevalue(name)
    answer = service.send(posting(50, b"{}"), ends=True)
    assert answer.status == 400
    assert b"Content-Length" in answer.body


@pytest.mark.parametrize("name", ["gateway", "registry"])
def test_a_compressed_body_is_refused(name: str, request: pytest.FixtureRequest) -> None:
    service: Service = request.getfixturevalue(name)
    assert service.send(posting(2, b"{}", b"Content-Encoding: gzip")).status == 415


@pytest.mark.parametrize("name", ["gateway", "registry"])
def test_pipelined_requests_are_answered_in_turn(name: str, request: pytest.FixtureRequest) -> None:
    service: Service = request.getfixturevalue(name)
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as client:
        one = b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
        client.sendall(one + one + one[:20])
        client.sendall(one[20:-2] + b"Connection: close\r\n\r\n")
        received = b"".join(iter(lambda: client.recv(65536), b""))
    assert received.count(b"HTTP/1.1 404 ") == 3
