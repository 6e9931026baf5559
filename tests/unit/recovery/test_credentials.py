"""Credentials that a target refuses are read anew, once for a call, and only when they changed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from config.groups import ConfigurationSettings
from config.recovery import ACTIONS
from config.secrets import FileSecret
from gateway.configuration.errors import CredentialsRefused
from gateway.configuration.transport import Transport
from gateway.databases.errors import DatabaseAuthenticationFailed
from gateway.databases.guarding import unguarded
from gateway.databases.model import DatabaseName, StatusError
from gateway.databases.observing import Look
from gateway.recovery.breaker_model import BreakerState
from gateway.recovery.credentials import Credentials, renewing, renewing_looks
from gateway.recovery.immediate import ImmediateRecovery
from gateway.recovery.model import Action
from gateway.recovery.policy import policy_allowing
from gateway.recovery.registry import Breakers
from tests.fakes.clock import FakeClock
from tests.fakes.logs import own_logs
from tests.fakes.upstream import FakeHttp, json_answer

TARGET = "database:redis"


class Server:
    """Takes one password; `reading` calls it with the one that the gateway holds."""

    def __init__(self, path: Path, actions: tuple[str, ...] = ACTIONS) -> None:
        self.path = path
        path.write_text("old\n")
        self.secret = FileSecret("REDIS_PASSWORD_FILE", path)
        self.takes = "old"
        self.asked: list[str] = []
        self.forgotten: list[str] = []
        self.clock = FakeClock()
        self.breakers = Breakers(self.clock)
        self.credentials = Credentials({TARGET: [self.secret]}, self.forgotten.append)
        policy = policy_allowing(actions)
        self.recovery = ImmediateRecovery(self.breakers, self.clock, credentials=self.credentials, policy=policy, sleep=self.clock.advance)

    def answer(self, _left: float = 1.0) -> str:
        self.asked.append(self.secret.get_secret_value())
        if self.asked[-1] != self.takes:
            raise DatabaseAuthenticationFailed("redis", "Redis refuses our credentials")
        return "done"

    def read(self) -> str:
        return self.recovery.run(TARGET, self.answer, timeout_seconds=5.0, repeatable=False)


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path / "password")


def test_a_call_that_met_old_credentials_is_made_once_more_with_the_new_ones(server: Server) -> None:
    server.takes = "new"
    server.path.write_text("new\n")
    assert server.read() == "done"
    assert server.asked == ["old", "new"]
    assert (server.forgotten, server.recovery.taken()) == ([TARGET], {Action.REAUTHENTICATE: 1})
    assert server.read() == "done"
    assert server.asked == ["old", "new", "new"]


def test_credentials_that_did_not_change_are_no_reason_to_ask_again(server: Server) -> None:
    server.takes = "new"
    for number in range(1, 4):
        with pytest.raises(DatabaseAuthenticationFailed):
            server.read()
        assert (len(server.asked), server.forgotten) == (number, [])


def test_one_call_renews_once_even_when_the_new_ones_are_refused_too(server: Server) -> None:
    server.path.write_text("wrong")
    server.takes = "new"
    answer = server.answer

    def changing(left: float) -> str:
        server.path.write_text(f"wrong-{len(server.asked)}")  # another one each time somebody looks
        return answer(left)

    server.answer = changing  # type: ignore[method-assign]
    with pytest.raises(DatabaseAuthenticationFailed):
        server.read()
    assert server.asked == ["old", "wrong-0"]


def test_who_failed_with_credentials_that_another_call_renewed_meanwhile_tries_again(server: Server) -> None:
    version = server.credentials.version(TARGET)
    server.path.write_text("new")
    assert server.credentials.renew(TARGET, version)
    assert server.credentials.renew(TARGET, version)
    assert not server.credentials.renew(TARGET, server.credentials.version(TARGET))
    assert server.forgotten == [TARGET]


def delete(path: Path) -> None:
    path.unlink()


def write_what_is_no_text(path: Path) -> None:
    path.write_bytes(b"n\xe9w")


@pytest.mark.parametrize(("spoil", "why"), [(delete, "FileNotFoundError"), (write_what_is_no_text, "UnicodeDecodeError")])
def test_a_file_that_cannot_be_read_leaves_the_secret_as_it_was_and_says_so(
    server: Server, spoil: Callable[[Path], None], why: str
) -> None:
    spoil(server.path)
    server.takes = "new"
    with own_logs() as logs, pytest.raises(DatabaseAuthenticationFailed):
        server.read()
    assert server.secret.get_secret_value() == "old"
    problem = f"REDIS_PASSWORD_FILE: the file cannot be read ({why})"
    assert logs == [{"event": "credential_not_renewed", "target": TARGET, "problem": problem, "log_level": "warning"}]


def test_one_file_that_cannot_be_read_does_not_keep_another_from_being_renewed(server: Server, tmp_path: Path) -> None:
    (tmp_path / "gone").write_text("lost")
    gone = FileSecret("REDIS_TOKEN_FILE", tmp_path / "gone")
    (tmp_path / "gone").unlink()
    credentials = Credentials({TARGET: [gone, server.secret]})
    server.path.write_text("new")
    assert credentials.renew(TARGET, credentials.version(TARGET))
    assert (gone.get_secret_value(), server.secret.get_secret_value()) == ("lost", "new")


def test_the_allow_list_bounds_it(tmp_path: Path) -> None:
    server = Server(tmp_path / "password", ("retry",))
    server.path.write_text("new")
    server.takes = "new"
    with pytest.raises(DatabaseAuthenticationFailed):
        server.read()
    assert server.asked == ["old"]


def test_old_credentials_say_nothing_against_the_target(server: Server) -> None:
    for number in range(10):
        server.path.write_text(f"password-{number}")
        server.takes = f"password-{number}"
        server.read()
    assert server.breakers.of(TARGET).state() is BreakerState.CLOSED
    assert server.breakers.of(TARGET).snapshot().failure_rate == 0


def test_the_houses_own_call_fails_and_the_next_one_has_the_new_ones(server: Server) -> None:
    guard = renewing(unguarded, server.credentials)
    server.path.write_text("new")
    server.takes = "new"
    with pytest.raises(DatabaseAuthenticationFailed), guard(DatabaseName.REDIS):
        server.answer()
    with guard(DatabaseName.REDIS):
        assert server.answer() == "done"


def test_a_look_of_the_poller_renews_them_too(server: Server) -> None:
    seen: list[Look] = []
    error = StatusError("DatabaseAuthenticationFailed", DatabaseAuthenticationFailed.code, "x", "WRONGPASS")
    look = Look(server.clock.now(), error)
    server.path.write_text("new")
    renewing_looks(lambda _name, look: seen.append(look), server.credentials)(DatabaseName.REDIS, look)
    assert (seen, server.secret.get_secret_value()) == ([look], "new")


@pytest.mark.parametrize("urgent", [False, True])
def test_the_configuration_service_is_asked_once_more_with_the_new_token(tmp_path: Path, urgent: bool) -> None:
    path, http, clock = tmp_path / "token", FakeHttp(), FakeClock()
    path.write_text("old")
    settings = ConfigurationSettings.read({"CONFIG_SERVICE_TOKEN_FILE": str(path)})
    assert isinstance(settings.token, FileSecret)
    credentials = Credentials({"service:configuration-service": [settings.token]})
    recovery = ImmediateRecovery(Breakers(clock), clock, credentials=credentials, sleep=clock.advance)
    transport = Transport(http, settings, clock, recovery)  # type: ignore[arg-type]  # the part it uses
    http.answers = [json_answer({}, status=401)]
    ask: Callable[[], object] = lambda: transport.call("GET /api/v1/health", "/api/v1/health", urgent=urgent)  # type: ignore[arg-type]  # noqa: E731
    with pytest.raises(CredentialsRefused):
        ask()
    assert len(http.sent) == 1  # nothing newer is at hand
    path.write_text("new")
    http.answers = [json_answer({}, status=401), json_answer({})]
    ask()
    assert [sent.headers["authorization"] for sent in http.sent[1:]] == ["Bearer old", "Bearer new"]
