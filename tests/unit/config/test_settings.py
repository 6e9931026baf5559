"""Settings: what deployments set is understood, what is unusable stops the start with one line that names it."""

import os
import subprocess
import sys
import traceback
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.databases import PostgresSettings
from config.secrets import FileSecret
from config.settings import Settings, SettingsError, groups
from gateway.recovery.model import Action

ALL_NAMES = {name for group in groups().values() for variable in group.variables().values() for name in variable.names}


def read(**environment: str) -> Settings:
    return Settings.from_environment(environment)


def test_an_empty_environment_gives_the_contract_defaults() -> None:
    settings = read()
    assert (settings.web.port, settings.web.host) == (3001, "127.0.0.1")
    assert settings.edge.allowed_origins == ("http://localhost:3000",)
    assert (settings.edge.rate_limit_requests, settings.edge.rate_limit_window_seconds) == (1000, 900)
    assert settings.edge.max_body_bytes == 10 * 1024 * 1024
    assert settings.postgres.sqlalchemy_url is None
    assert settings.broker_url is None


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"DATABASE_URL": "postgres://u:p@h:1/d"}, "postgresql+psycopg2://u:p@h:1/d"),
        ({"POSTGRES_URL": "postgresql://u@h/d"}, "postgresql+psycopg2://u@h/d"),
        ({"DATABASE_URL": "postgres://first/d", "POSTGRES_URL": "postgres://second/d"}, "postgresql+psycopg2://first/d"),
        (
            {"POSTGRES_HOST": "h", "POSTGRES_USER": "u@x", "POSTGRES_PASSWORD": "p/?", "POSTGRES_DB": "d"},
            "postgresql+psycopg2://u%40x:p%2F%3F@h:5432/d",
        ),
    ],
)
def test_postgres_is_found_as_deployments_write_it(environment: dict[str, str], expected: str) -> None:
    assert read(**environment).postgres.sqlalchemy_url == expected


def test_the_broker_is_dragonfly_and_else_the_redis_of_heroku() -> None:
    assert read(REDIS_URL="redis://heroku:1").broker_url == "redis://heroku:1"
    assert read(REDIS_URL="redis://heroku:1", DRAGONFLY_HOST="fly", DRAGONFLY_PASSWORD="a b").broker_url == "redis://:a%20b@fly:6379/0"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"REDIS_URL": "rediss://:p@h:1"}, "rediss://:p@h:1?ssl_cert_reqs=required"),
        ({"REDIS_URL": "rediss://:p@h:1/0", "REDIS_TLS_VERIFY": "false"}, "rediss://:p@h:1/0?ssl_cert_reqs=none"),
        ({"REDIS_URL": "redis://h:1", "REDIS_TLS_VERIFY": "false"}, "redis://h:1"),
        ({"REDIS_URL": "rediss://h?ssl_cert_reqs=CERT_NONE&ssl_ca_certs=/ca"}, "rediss://h?ssl_ca_certs=%2Fca&ssl_cert_reqs=none"),
        ({"DRAGONFLY_URL": "rediss://h", "DRAGONFLY_TLS_VERIFY": "false"}, "rediss://h?ssl_cert_reqs=none"),
        ({"DRAGONFLY_URL": "rediss://h", "REDIS_TLS_VERIFY": "false"}, "rediss://h?ssl_cert_reqs=required"),
    ],
)
def test_a_servers_certificate_is_checked_unless_told_otherwise(environment: dict[str, str], expected: str) -> None:
    assert read(**environment).broker_url == expected


def test_an_empty_variable_counts_as_not_set() -> None:
    assert read(PORT="", DATABASE_URL=" ").web.port == 3001


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"PORT": "abc"}, "PORT"),
        ({"PORT": "70000"}, "PORT"),
        ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL"),
        ({"DATABASE_URL": "mysql://h/d"}, "DATABASE_URL"),
        ({"POSTGRES_URL": "mysql://h/d"}, "POSTGRES_URL"),
        ({"REDIS_URL": "rediss://h?ssl_cert_reqs=maybe"}, "REDIS_URL"),
        ({"REDIS_URL": "http://h"}, "REDIS_URL"),
        ({"FLOW_REGISTRY_URL": "registry:8012"}, "FLOW_REGISTRY_URL"),
        ({"BIND_HOST": "0.0.0.0"}, "BIND_HOST"),
        ({"CONFIG_SERVICE_HOST": "0.0.0.0"}, "CONFIG_SERVICE_HOST"),
    ],
)
def test_an_unusable_variable_is_named_in_one_line(environment: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError) as failure:
        read(**environment)
    assert str(failure.value).startswith(f"{named}: ")
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize(
    "command",
    [
        [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.conf.py", "wsgi:app"],
        [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn_configservice.conf.py", "wsgi:configuration_service"],
        [sys.executable, "-m", "celery", "-A", "tasks.app", "beat"],
    ],
    ids=["gateway", "configuration service", "beat"],
)
def test_a_process_says_what_is_unusable_in_one_line(command: list[str]) -> None:
    environment = {**os.environ, "PORT": "abc"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert ended.stderr.strip().startswith("PORT: ")
    assert "Traceback" not in ended.stderr + ended.stdout


def test_a_token_opens_the_door_beyond_loopback() -> None:
    assert read(BIND_HOST="0.0.0.0", GATEWAY_TOKENS="ops:secret:admin").web.host == "0.0.0.0"


def test_a_secret_never_stands_in_an_error_or_a_repr() -> None:
    secret = "hunter2-very-secret"
    with pytest.raises(SettingsError) as failure:
        read(DATABASE_URL=f"mysql://u:{secret}@h/d")
    assert secret not in str(failure.value)
    with pytest.raises(SettingsError) as failure:  # of which the standard library says "netloc 'u:hunter2… contains"
        read(REDIS_URL=f"redis://u:{secret}@h℀/0")
    assert secret not in "".join(traceback.format_exception(failure.value))
    assert secret not in repr(read(DATABASE_URL=f"postgres://u:{secret}@h/d", REDIS_PASSWORD=secret, GATEWAY_TOKENS=f"a:{secret}:read"))


def test_every_variable_says_what_it_means() -> None:
    for group in groups().values():
        for name, variable in group.variables().items():
            assert variable.meaning, f"{group.__name__}.{name}"


@given(st.dictionaries(st.sampled_from(sorted(ALL_NAMES)), st.text(max_size=30) | st.sampled_from(["inf", "nan", "1.5", "redis://["])))
def test_no_value_escapes_as_another_error(environment: dict[str, str]) -> None:
    try:
        Settings.from_environment(environment)
    except SettingsError as error:
        named = str(error).split(":")[0]
    else:
        return
    assert named in environment


def test_the_allow_list_names_actions_that_the_gateway_knows() -> None:
    passive = {Action.WAIT, Action.CORRECT_REQUEST, Action.NONE}
    assert set(Settings.from_environment({}).recovery.actions) == {action.value for action in Action} - passive
    assert Settings.from_environment({"RECOVERY_ACTIONS": "retry, fallback"}).recovery.actions == ("retry", "fallback")
    with pytest.raises(SettingsError, match="RECOVERY_ACTIONS: must be some of retry, "):
        Settings.from_environment({"RECOVERY_ACTIONS": "retry,reboot"})


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("s3cret\n")
    settings = PostgresSettings.read({"POSTGRES_HOST": "db", "POSTGRES_PASSWORD_FILE": str(path)})
    assert settings.sqlalchemy_url == "postgresql+psycopg2://gateway:s3cret@db:5432/gateway"
    path.write_text("n3wer\n")
    assert isinstance(settings.password, FileSecret)
    assert settings.password.renew()
    assert "n3wer" in str(settings.sqlalchemy_url)
    assert "n3wer" not in repr(settings)


def test_an_empty_file_opens_no_door(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("\n")
    with pytest.raises(SettingsError, match="BIND_HOST: "):
        read(BIND_HOST="0.0.0.0", GATEWAY_TOKENS_FILE=str(tmp_path / "tokens"))


def test_settings_cannot_be_changed_but_copied() -> None:
    settings = read().dragonfly
    with pytest.raises(FrozenInstanceError):
        settings.port = 1  # type: ignore[misc]
    assert replace(settings, timeout_seconds=0.1).timeout_seconds == 0.1


def test_a_variable_goes_before_its_file_and_a_file_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    missing = {"POSTGRES_PASSWORD_FILE": str(tmp_path / "missing")}
    with pytest.raises(SettingsError, match="POSTGRES_PASSWORD_FILE: the file cannot be read"):
        PostgresSettings.read(missing)
    (tmp_path / "missing").write_text("from the file")
    password = PostgresSettings.read({**missing, "POSTGRES_PASSWORD": "direct"}).password
    assert password
    assert password.get_secret_value() == "direct"
