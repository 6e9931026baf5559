"""gunicorn with our worker: a stop answers everybody who came before it, a rolling restart drops nobody."""

import http.client
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.ports import remembered_port
from embedded.processes import end, is_alive, spawn, wait_until

ROOT = Path(__file__).parents[2]
LONG_DRAIN_SECONDS = 60.0  # longer than any test: nothing in it hurries


class Gunicorn:
    """The gateway's gunicorn configuration around a small application."""

    def __init__(self, directory: Path, *, drain_seconds: float) -> None:
        self.notes = directory / "notes"
        self.notes.touch()
        self.port = remembered_port(directory)
        environment = {
            **os.environ,
            "PORT": str(self.port),
            "WEB_CONCURRENCY": "2",
            "DRAIN_SECONDS": str(drain_seconds),
            "GRACEFUL_TIMEOUT_SECONDS": "5",
            "DRAIN_NOTES": str(self.notes),
        }
        command = [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.conf.py", "tests.fakes.draining_app:app"]
        self.process: subprocess.Popen[bytes] = spawn(command, log=directory / "log", directory=ROOT, environment=environment)
        assert wait_until(self.answers, timeout_seconds=20), (directory / "log").read_text()
        assert wait_until(lambda: self.heard("start") == 2, timeout_seconds=20)

    def heard(self, call: str) -> int:
        return sum(line.split(" ", 1)[1] == call for line in self.notes.read_text().splitlines())

    def get(self, path: str = "/") -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def answers(self) -> bool:
        try:
            return self.get()[0] == 200
        except OSError:
            return False

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end_drain(self) -> None:
        """A second SIGTERM to each worker."""
        for pid in {line.split()[0] for line in self.notes.read_text().splitlines()}:
            os.kill(int(pid), signal.SIGTERM)


@pytest.fixture
def gunicorn(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Gunicorn]:
    server = Gunicorn(tmp_path, drain_seconds=getattr(request, "param", 0.5))
    yield server
    end(server.process, signal.SIGQUIT, patience_seconds=5)


class Load(threading.Thread):
    """One client that asks without pause, over a kept-alive connection or a new one each time, and notes what failed."""

    def __init__(self, server: Gunicorn, *, keep_alive: bool) -> None:
        super().__init__(daemon=True)
        self.answered, self.failures = 0, list[str]()
        self._server, self._keep_alive, self._enough = server, keep_alive, threading.Event()

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=10)
        while not self._enough.is_set():
            try:
                connection.request("GET", "/")
                answer = connection.getresponse()
                answer.read()
                self.answered += answer.status == 200
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
            if not self._keep_alive:
                connection.close()
        connection.close()

    def finish(self) -> None:
        self._enough.set()
        self.join(20)


def test_a_rolling_restart_under_load_drops_no_request(gunicorn: Gunicorn) -> None:
    old = {gunicorn.get()[1] for _ in range(50)}
    clients = [Load(gunicorn, keep_alive=keep_alive) for keep_alive in (True, True, False, False)]
    for client in clients:
        client.start()

    gunicorn.signal(signal.SIGHUP)
    assert wait_until(lambda: not any(is_alive(int(pid)) for pid in old), timeout_seconds=20)
    for client in clients:
        client.finish()

    assert [failure for client in clients for failure in client.failures] == []
    assert all(client.answered > 0 for client in clients)
    assert gunicorn.get()[1] not in old
    assert (gunicorn.heard("drain leaving=False"), gunicorn.heard("drain leaving=True")) == (2, 0)


@pytest.mark.parametrize("gunicorn", [LONG_DRAIN_SECONDS], indirect=True)
def test_a_stop_is_announced_while_the_gateway_still_accepts(gunicorn: Gunicorn) -> None:
    gunicorn.signal(signal.SIGTERM)
    assert wait_until(lambda: gunicorn.heard("drain leaving=True") == 2, timeout_seconds=20)

    assert gunicorn.get("/readyz") == (503, "draining")
    assert gunicorn.get("/")[0] == 200

    gunicorn.end_drain()
    assert gunicorn.process.wait(20) == 0
    assert gunicorn.heard("stop") == 2


def test_a_drain_ends_by_itself(gunicorn: Gunicorn) -> None:
    gunicorn.signal(signal.SIGTERM)
    assert gunicorn.process.wait(20) == 0
    assert gunicorn.heard("stop") == 2


def test_a_stop_lets_running_requests_finish(gunicorn: Gunicorn) -> None:
    answers: list[tuple[int, str]] = []
    asking = [threading.Thread(target=lambda: answers.append(gunicorn.get("/slow"))) for _ in range(8)]
    for thread in asking:
        thread.start()
    assert wait_until(lambda: gunicorn.heard("slow") == len(asking), timeout_seconds=20)

    gunicorn.signal(signal.SIGTERM)
    for thread in asking:
        thread.join(20)

    assert [status for status, _ in answers] == [200] * 8
    assert gunicorn.process.wait(20) == 0


def test_after_a_rolling_restart_a_stop_still_leaves(gunicorn: Gunicorn) -> None:
    gunicorn.signal(signal.SIGHUP)
    assert wait_until(lambda: gunicorn.heard("stop") == 2, timeout_seconds=20)

    gunicorn.signal(signal.SIGTERM)

    assert gunicorn.process.wait(20) == 0
    assert gunicorn.heard("drain leaving=True") == 2


@pytest.mark.parametrize("gunicorn", [LONG_DRAIN_SECONDS], indirect=True)
def test_a_second_term_ends_the_drain(gunicorn: Gunicorn) -> None:
    gunicorn.signal(signal.SIGTERM)
    assert wait_until(lambda: gunicorn.heard("drain leaving=True") == 2, timeout_seconds=20)

    gunicorn.end_drain()

    assert gunicorn.process.wait(20) == 0
