"""Which engines `make run` starts, and what it tells the processes."""

import socket
from pathlib import Path

import pytest

from config.settings import SettingsError
from embedded.errors import EmbeddedError
from embedded.plan import Plan, make_plan
from embedded.ports import remembered_port


@pytest.mark.parametrize(
    ("given", "ours"),
    [
        ({}, {"DATABASE_URL", "DRAGONFLY_URL"}),
        ({"DATABASE_URL": "  "}, {"DATABASE_URL", "DRAGONFLY_URL"}),
        ({"DATABASE_URL": "postgresql://u@h/d"}, {"DRAGONFLY_URL"}),
        ({"POSTGRES_URL": "postgresql://u@h/d"}, {"DRAGONFLY_URL"}),
        ({"POSTGRES_HOST": "h"}, {"DRAGONFLY_URL"}),
        ({"DRAGONFLY_URL": "redis://h"}, {"DATABASE_URL"}),
        ({"DRAGONFLY_HOST": "h"}, {"DATABASE_URL"}),
        ({"REDIS_URL": "redis://h"}, {"DATABASE_URL"}),
        ({"REDIS_HOST": "h"}, {"DATABASE_URL"}),
        ({"POSTGRES_HOST": "h", "DRAGONFLY_HOST": "h"}, set()),
    ],
)
def test_an_engine_whose_variables_are_set_is_not_ours(tmp_path: Path, given: dict[str, str], ours: set[str]) -> None:
    assert set(make_plan(given, tmp_path).engines) == ours


def test_making_a_plan_touches_nothing(tmp_path: Path) -> None:
    make_plan({}, tmp_path)
    assert list(tmp_path.iterdir()) == []


def names(plan: Plan) -> list[str]:
    return [child.name for child in plan.processes({})]


def test_a_registry_elsewhere_means_no_configuration_service_of_ours(tmp_path: Path) -> None:
    given = {"FLOW_REGISTRY_URL": "http://registry:8012", "DATABASE_URL": "postgresql://u@h/d", "DRAGONFLY_URL": "redis://h"}
    plan = make_plan(given, tmp_path)
    assert names(plan) == ["gateway", "worker", "beat"]
    assert plan.config_service_url == "http://registry:8012"
    assert "FLOW_REGISTRY_URL" not in plan.environment({})


def test_our_configuration_service_is_found_on_its_own_port(tmp_path: Path) -> None:
    given = {"CONFIG_SERVICE_PORT": "9012", "DATABASE_URL": "postgresql://u@h/d", "DRAGONFLY_URL": "redis://h"}
    plan = make_plan(given, tmp_path)
    assert names(plan) == ["configservice", "gateway", "worker", "beat"]
    assert plan.environment(given)["FLOW_REGISTRY_URL"] == "http://127.0.0.1:9012"


def test_the_callers_environment_wins_over_our_defaults(tmp_path: Path) -> None:
    given = {"LOG_FORMAT": "json", "GRACEFUL_TIMEOUT_SECONDS": "", "DATABASE_URL": "postgresql://u@h/d", "DRAGONFLY_URL": "redis://h"}
    told = make_plan(given, tmp_path).environment(given)
    assert (told["LOG_FORMAT"], told["GRACEFUL_TIMEOUT_SECONDS"]) == ("json", "4")
    assert told["DATABASE_URL"] == "postgresql://u@h/d"


def test_a_port_in_use_is_named_with_the_variable_that_moves_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EmbeddedError, match=f"^port {port} is in use; .* PORT=…$"):
            make_plan({"PORT": str(port)}, tmp_path).require_free_ports()
        free = str(remembered_port(tmp_path))
        with pytest.raises(EmbeddedError, match=r"CONFIG_SERVICE_PORT=…$"):
            make_plan({"PORT": free, "CONFIG_SERVICE_PORT": str(port)}, tmp_path).require_free_ports()
        make_plan({"PORT": free, "CONFIG_SERVICE_PORT": str(port), "FLOW_REGISTRY_URL": "http://r"}, tmp_path).require_free_ports()


def test_one_port_for_two_servers_is_refused(tmp_path: Path) -> None:
    port = str(remembered_port(tmp_path))
    with pytest.raises(EmbeddedError, match=f"^PORT and CONFIG_SERVICE_PORT are both {port};"):
        make_plan({"PORT": port, "CONFIG_SERVICE_PORT": port}, tmp_path).require_free_ports()


def test_an_unusable_variable_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="PORT"):
        make_plan({"PORT": "many"}, tmp_path)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:4000"),
        ("::", "http://[::1]:4000"),
        ("10.1.2.3", "http://10.1.2.3:4000"),
        ("localhost", "http://localhost:4000"),
    ],
)
def test_the_gateway_is_asked_where_this_machine_reaches_it(host: str, url: str, tmp_path: Path) -> None:
    plan = make_plan({"BIND_HOST": host, "GATEWAY_TOKENS": "a:b:admin", "PORT": "4000"}, tmp_path)
    assert plan.gateway_url == url
