"""compose.yaml, the Dockerfile and the Procfile say only what the product understands."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.settings import Settings, groups

ROOT = Path(__file__).parents[2]
OURS = ("release", "configservice", "gateway", "worker", "beat")
DATABASES = ("postgres", "dragonflydb", "clickhouse", "weaviate", "arangodb", "redis")
CELERYS_OWN = {"REMAP_SIGTERM"}  # read by billiard, never by us
SECRETS = ("POSTGRES_PASSWORD", "DRAGONFLY_PASSWORD", "CLICKHOUSE_PASSWORD", "WEAVIATE_API_KEY", "ARANGO_PASSWORD", "CONFIG_SERVICE_TOKEN")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "compose.yaml").read_text())["services"])


@pytest.fixture(scope="module")
def procfile() -> dict[str, str]:
    return dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())


def known_variables() -> set[str]:
    return {name for group in groups().values() for variable in group.variables().values() for name in variable.names}


def assigned(command: str) -> set[str]:
    return set(re.findall(r"(?:^|\s)([A-Z][A-Z0-9_]+)=", command))


def in_words(command: object) -> str:
    return " ".join(command) if isinstance(command, list) else str(command)


def filled_in(value: str) -> str:
    """What compose makes of `${NAME:?}`, given a `.env` that sets every name."""
    return re.sub(r"\$\{([A-Z_]+):\?\}", lambda match: "ops:secret:admin" if match[1] == "GATEWAY_TOKENS" else "secret", value)


def test_it_brings_the_six_databases_and_every_process_of_ours(services: dict[str, Any]) -> None:
    assert set(services) == {*OURS, *DATABASES}


@pytest.mark.parametrize("name", OURS)
def test_our_services_are_told_only_what_the_settings_know(services: dict[str, Any], name: str) -> None:
    told = set(services[name]["environment"]) | assigned(in_words(services[name]["command"])) - CELERYS_OWN
    assert told - known_variables() == set()


@pytest.mark.parametrize("name", OURS)
def test_the_settings_accept_what_our_services_are_told(services: dict[str, Any], name: str) -> None:
    settings = Settings.from_environment({key: filled_in(value) for key, value in services[name]["environment"].items()})
    assert settings.postgres.sqlalchemy_url
    assert settings.broker_url
    assert settings.clickhouse.host
    assert settings.weaviate.host
    assert settings.arango.url
    assert settings.redis.redis_url


@pytest.mark.parametrize("name", DATABASES)
def test_a_database_has_a_pinned_image_a_health_check_and_a_volume(services: dict[str, Any], name: str) -> None:
    service = services[name]
    assert re.search(r":v?\d+\.\d+", service["image"])
    assert service["healthcheck"]["test"]
    assert service["volumes"]


def test_only_the_gateway_is_published_and_only_on_loopback(services: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"gateway": ["127.0.0.1:3001:3001"]}


def test_no_secret_stands_in_the_file() -> None:
    text = (ROOT / "compose.yaml").read_text()
    for name in SECRETS:
        assert f"${{{name}:?}}" in text


def test_what_a_service_waits_for_exists_and_can_be_waited_for(services: dict[str, Any]) -> None:
    for service in services.values():
        for name, wait in service.get("depends_on", {}).items():
            assert wait["condition"] == "service_completed_successfully" or "healthcheck" in services[name]


def test_the_image_runs_as_nobody_special_and_copies_what_the_processes_import() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert len(re.findall(r"^FROM python:\d+\.\d+\.\d+-slim-bookworm", text, re.MULTILINE)) == 2
    assert re.search(r"^USER gateway$", text, re.MULTILINE)
    copied = {word for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE) for word in line.split()}
    assert copied >= {"wsgi.py", "alembic.ini", "config", "gateway", "tasks", "configservice", "migrations", "requirements.txt"}
    sent = {line[1:].strip("/") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert sent == copied


def test_the_procfile_runs_what_compose_runs(procfile: dict[str, str], services: dict[str, Any]) -> None:
    assert set(procfile) == {"release", "web", "worker", "beat"}
    for process, service in {"release": "release", "web": "gateway", "worker": "worker", "beat": "beat"}.items():
        program = in_words(services[service]["command"]).removeprefix("env REMAP_SIGTERM=SIGQUIT ").split()[:4]
        assert " ".join(program) in procfile[process]


def test_the_procfile_sets_only_what_the_settings_know(procfile: dict[str, str]) -> None:
    for command in procfile.values():
        assert assigned(command) - CELERYS_OWN - known_variables() == set()


def test_what_heroku_sets_is_honoured() -> None:
    heroku = {
        "PORT": "5000",
        "WEB_CONCURRENCY": "3",
        "DATABASE_URL": "postgres://u:p@db:5432/name",
        "REDIS_URL": "rediss://:p@cache:6380",
        "BIND_HOST": "0.0.0.0",
        "GATEWAY_TOKENS": "ops:secret:admin",
    }
    settings = Settings.from_environment(heroku)
    assert (settings.web.port, settings.web.processes, settings.web.host) == (5000, 3, "0.0.0.0")
    assert settings.postgres.sqlalchemy_url == "postgresql+psycopg2://u:p@db:5432/name"
    assert settings.broker_url == "rediss://:p@cache:6380?ssl_cert_reqs=required"
