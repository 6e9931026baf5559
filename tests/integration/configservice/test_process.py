"""The service as it is deployed: gunicorn with its own configuration."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def served_port(postgres_url: str, tmp_path: Path) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """The port and the process of a service that is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "DATABASE_URL": postgres_url, "CONFIG_SERVICE_PORT": str(port), "LOG_FORMAT": "json"}
    command = [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn_configservice.conf.py", "wsgi:configuration_service"]
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, cwd=ROOT, env=environment, stderr=log, stdout=log) as process:
        try:
            wait_until_ready(port, process)
            yield port, process
        finally:
            process.kill() if process.poll() is None else None


def wait_until_ready(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Until it answers."""
    deadline = time.monotonic() + 60
    while True:
        try:
            assert call(port, "GET", "/health")[0] == 200
        except OSError:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


def call(port: int, method: str, path: str, body: object = None) -> tuple[int, bytes]:
    """One call over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=40)
    try:
        payload = None if body is None else json.dumps(body)
        connection.request(method, path, payload, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_long_polls_starve_nobody_and_end_with_the_process(served_port: tuple[int, "subprocess.Popen[bytes]"]) -> None:
    port, process = served_port
    with ThreadPoolExecutor(12) as pool:
        polls = [pool.submit(call, port, "GET", "/api/v1/config/watch?since=0&wait=30") for _ in range(12)]
        refused = 0
        while refused < 8:  # eight threads: four may wait, eight polls are answered at once
            refused = sum(each.done() for each in polls)
        assert call(port, "GET", "/api/v1/flows/types")[0] == 200
        assert sum(each.done() for each in polls) == 8, "it was answered while the others waited on"
        process.send_signal(signal.SIGTERM)
        assert [each.result(10)[0] for each in polls] == [200] * 12
        assert process.wait(10) == 0


def test_a_chunked_body_is_read(served_port: tuple[int, "subprocess.Popen[bytes]"]) -> None:
    port, _ = served_port
    headers = {"Content-Type": "application/json"}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("POST", "/api/v1/config", iter([b'{"key": "k",', b'"value": 1}']), headers, encode_chunked=True)
        assert connection.getresponse().status == 201


@pytest.mark.parametrize(
    ("chunks", "status"),
    [(b"zz\r\n{}\r\n0\r\n\r\n", 400), (b"1e00000\r\n" + b" " * 0x1E00000 + b"\r\n0\r\n\r\n", 413)],  # more than the kernel's buffers hold
    ids=["broken", "too large"],
)
def test_a_chunked_body_that_is_broken_or_too_large_is_refused(
    served_port: tuple[int, "subprocess.Popen[bytes]"], chunks: bytes, status: int
) -> None:
    port, _ = served_port
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.putrequest("POST", "/api/v1/config")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        connection.send(chunks)
        with closing(connection.getresponse()) as response:
            assert response.status == status
