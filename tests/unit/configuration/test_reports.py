"""Telling the registry of executions: what is sent, and when it keeps no record."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest

from gateway.configuration.errors import ConfigurationUnavailable
from gateway.executions.ports import RegistryReports, StartReport, StatusReport
from tests.doubles.platform_configuration_service import PlatformConfigurationService
from tests.fakes.clock import FakeClock
from tests.fakes.configuration_room import Room, build_room
from tests.fakes.registered_flows import flow_document

NOW = datetime(2026, 1, 1, tzinfo=UTC)
START = StartReport("exec-1", "exec-1", {"n": 1}, "tests", {"tenant": "t"}, NOW)


@pytest.fixture
def platform() -> Iterator[PlatformConfigurationService]:
    with PlatformConfigurationService(flows={"prices": {**flow_document(), "status": "active"}}) as service:
        yield service


@pytest.fixture
def room(platform: PlatformConfigurationService) -> Iterator[Room]:
    with closing(build_room(platform.url, FakeClock())) as built:
        yield built


def test_start_and_end_are_recorded(room: Room, platform: PlatformConfigurationService) -> None:
    reports: RegistryReports = room.reports
    recorded = reports.report_started("prices", START)
    assert recorded is not None
    reports.report_status(recorded, StatusReport("exec-1", "failed", error_message="it broke"))
    kept = platform.executions[recorded]
    assert (kept["status"], kept["errorMessage"], kept["triggeredBy"], kept["parameters"]) == ("failed", "it broke", "tests", {"n": 1})
    assert kept["executionContext"] == {"tenant": "t", "gatewayExecutionId": "exec-1"}
    assert "result" not in kept


def test_the_record_of_a_run_is_asked_for_under_the_runs_own_key(room: Room, platform: PlatformConfigurationService) -> None:
    room.reports.report_started("prices", START)
    room.reports.report_started("prices", START)
    assert [request.headers["idempotency-key"] for request in platform.seen] == ["exec-1", "exec-1"]


@pytest.mark.parametrize("status", ["draft", "deprecated", "archived"])
def test_a_flow_whose_status_the_registry_refuses_is_not_recorded(room: Room, platform: PlatformConfigurationService, status: str) -> None:
    platform.flows["prices"]["status"] = status
    assert room.reports.report_started("prices", START) is None


def test_an_end_that_the_registry_does_not_take_breaks_nothing(room: Room) -> None:
    room.reports.report_status("unknown", StatusReport("exec-1", "completed", result={"a": None}))


def test_an_end_is_recorded_without_a_result_that_the_registry_refuses(
    room: Room, platform: PlatformConfigurationService, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = room.reports.report_started("prices", START)
    assert recorded is not None
    take = platform._report
    monkeypatch.setattr(platform, "_report", lambda request, *ids: (400, {}) if "result" in request.body else take(request, *ids))
    room.reports.report_status(recorded, StatusReport("exec-1", "completed", result={"a": "\x00"}))
    assert platform.executions[recorded]["status"] == "completed"


def test_a_registry_that_is_down_is_said_so_that_it_is_told_later(room: Room, platform: PlatformConfigurationService) -> None:
    platform.stop()
    with pytest.raises(ConfigurationUnavailable):
        room.reports.report_started("prices", START)
