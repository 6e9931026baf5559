"""The service as it is deployed: gunicorn with its own configuration."""

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from embedded.ports import remembered_port
from embedded.processes import kill_group, spawn, wait_until

ROOT = Path(__file__).parents[3]


@pytest.fixture
def served_port(postgres_url: str, tmp_path: Path) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """The port and the process of a service that is ready."""
    port, log = remembered_port(tmp_path), tmp_path / "log"
    environment = {**os.environ, "DATABASE_URL": postgres_url, "CONFIG_SERVICE_PORT": str(port), "LOG_FORMAT": "json"}
    command = [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn_configservice.conf.py", "wsgi:configuration_service"]
    process = spawn(command, log=log, directory=ROOT, environment=environment)
    try:
        assert wait_until(lambda: process.poll() is not None or is_served(port), timeout_seconds=60), log.read_text()
        assert process.poll() is None, log.read_text()
        yield port, process
    finally:
        kill_group(process)


def is_served(port: int) -> bool:
    try:
        return call(port, "GET", "/health")[0] == 200
    except OSError:
        return False


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
        # Eight threads: four may wait, eight polls are answered at once.
        assert wait_until(lambda: sum(each.done() for each in polls) == 8, timeout_seconds=20)
        assert call(port, "GET", "/api/v1/flows/types")[0] == 200
        assert sum(each.done() for each in polls) == 8, "it was answered while the others waited on"
        process.send_signal(signal.SIGTERM)
        assert [each.result(20)[0] for each in polls] == [200] * 12
        assert process.wait(20) == 0


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
