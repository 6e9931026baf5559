"""A password that was changed on a real server is read anew, once, and nobody restarts."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

from config.settings import Settings
from gateway.clock import SystemClock
from gateway.databases.errors import DatabaseAuthenticationFailed
from gateway.databases.model import DatabaseName
from gateway.recovery.model import Action
from gateway.wiring.calls import Calls, build_calls


class Server:
    """The Redis whose password changes, and the file that tells it."""

    def __init__(self, url: str, path: Path) -> None:
        self.client = redis.Redis.from_url(url)
        self.path = path

    def rotate(self, password: str, *, told: bool = True) -> None:
        """Another password from now on; connections that are open end."""
        self.client.config_set("requirepass", password)
        self.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        if told:
            self.path.write_text(f"{password}\n")


@pytest.fixture
def server(redis_url: str, tmp_path: Path) -> Iterator[Server]:
    server = Server(redis_url, tmp_path / "password")
    server.client.ping()  # its one connection stays, whatever the password is then
    server.rotate("first")
    yield server
    server.client.config_set("requirepass", "")
    server.client.close()


@pytest.fixture
def calls(server: Server, redis_url: str) -> Iterator[Calls]:
    parts = urlsplit(redis_url)
    environment = {"REDIS_HOST": str(parts.hostname), "REDIS_PORT": str(parts.port), "REDIS_PASSWORD_FILE": str(server.path)}
    calls = build_calls(Settings.from_environment(environment), SystemClock())
    yield calls
    calls.databases.close()


def read(calls: Calls) -> object:
    def ask(left_seconds: float) -> object:
        return calls.databases.redis.query("PING", {}, timeout_seconds=left_seconds, max_rows=1)

    return calls.guards.reading(calls.recovery)(DatabaseName.REDIS, ask, 5.0)  # type: ignore[arg-type]


def test_a_read_after_the_password_changed_is_made_once_more_with_the_new_one(server: Server, calls: Calls) -> None:
    read(calls)
    server.rotate("second")
    read(calls)
    assert calls.recovery.taken().get(Action.REAUTHENTICATE) == 1
    read(calls)
    assert calls.recovery.taken().get(Action.REAUTHENTICATE) == 1


def test_a_password_that_nobody_told_is_refused_until_somebody_does(server: Server, calls: Calls) -> None:
    read(calls)
    server.rotate("second", told=False)
    for _ in range(2):
        with pytest.raises(DatabaseAuthenticationFailed):
            read(calls)
    assert Action.REAUTHENTICATE not in calls.recovery.taken()
    server.path.write_text("second")
    read(calls)


def test_a_call_of_the_house_has_it_read_anew_for_the_next_one(server: Server, calls: Calls) -> None:
    server.rotate("second")
    with pytest.raises(DatabaseAuthenticationFailed), calls.databases.redis.commands() as client:
        client.ping()
    with calls.databases.redis.commands() as client:
        assert client.ping()
