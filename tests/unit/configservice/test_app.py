"""The factory, and what stands between a view and PostgreSQL."""

import subprocess
import sys
import threading

import pytest
from sqlalchemy.exc import DBAPIError

from config.settings import Settings, SettingsError
from configservice import VERSION
from configservice.app import create_configuration_service
from configservice.container import EXTENSION
from configservice.database import SQLSTATE_RULES, translated
from gateway.errors import Conflict, GatewayError, InvalidInput, Unavailable
from gateway.version import VERSION as GATEWAY_VERSION


class DriverError(Exception):
    """Stands in for psycopg2's errors, which carry a SQLSTATE."""

    def __init__(self, sqlstate: str | None) -> None:
        super().__init__("driver text with a password")
        self.pgcode = sqlstate


def test_building_the_app_connects_to_nothing_and_starts_no_thread() -> None:
    before = threading.active_count()
    app = create_configuration_service(Settings.from_environment({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}))
    assert app.extensions[EXTENSION].database._engine is None
    assert threading.active_count() == before


def test_importing_it_loads_no_other_room_of_the_gateway() -> None:
    rooms = "configuration databases executions outbox api caching outbound observability"
    script = f"import sys, configservice.app; sys.exit(any('gateway.' + room in sys.modules for room in {rooms.split()!r}))"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_token_is_needed_to_bind_anything_but_loopback() -> None:
    with pytest.raises(SettingsError, match="CONFIG_SERVICE_TOKEN"):
        Settings.from_environment({"CONFIG_SERVICE_HOST": "0.0.0.0"})


def test_it_has_the_product_s_version() -> None:
    assert VERSION == GATEWAY_VERSION


@pytest.mark.parametrize(
    ("sqlstate", "expected"),
    [
        ("57014", Unavailable),
        ("57P03", Unavailable),
        ("08006", Unavailable),
        ("53300", Unavailable),
        ("40P01", Unavailable),
        ("42P01", Unavailable),
        ("23505", Conflict),
        ("22P05", InvalidInput),
        (None, DBAPIError),
        ("42601", DBAPIError),
    ],
)
def test_errors_are_told_by_sqlstate_and_bugs_stay_bugs(sqlstate: str | None, expected: type[Exception]) -> None:
    with pytest.raises(expected) as raised, translated():
        raise DBAPIError("SELECT 1", {}, DriverError(sqlstate))
    if isinstance(raised.value, GatewayError):
        assert "password" not in raised.value.detail
        assert raised.value.retry_after_seconds == (2 if expected is Unavailable else None)


def test_whole_codes_stand_before_their_class() -> None:
    prefixes = [prefix for prefix, _, _ in SQLSTATE_RULES]
    for index, prefix in enumerate(prefixes):
        assert not any(prefix.startswith(earlier) for earlier in prefixes[:index])
