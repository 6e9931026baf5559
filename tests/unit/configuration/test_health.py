"""What /health shows of the Configuration Service."""

import pytest

from gateway.configuration.errors import ConfigurationUnavailable
from gateway.configuration.health import _host_only
from gateway.recovery.classify import classify
from gateway.recovery.model import FaultType
from gateway.targets import CONFIGURATION_SERVICE
from tests.doubles.platform_configuration_service import PlatformConfigurationService
from tests.fakes.clock import FakeClock
from tests.fakes.configuration_room import Room


def test_before_the_first_probe_it_says_so_without_asking(room: Room, platform: PlatformConfigurationService) -> None:
    snapshot = room.health.snapshot()
    assert (snapshot["status"], snapshot["error"], snapshot["lastOkAt"]) == ("unhealthy", "not asked yet", None)
    assert platform.seen == []


def test_a_probe_that_succeeded(room: Room, platform: PlatformConfigurationService) -> None:
    assert room.health.step() == 5
    expected = {
        "status": "healthy",
        "url": platform.url,
        "latencyMs": 0.0,
        "lastOkAt": "2026-01-01T00:00:00Z",
        "version": "1.0.0",
        "registered": False,
        "notOffered": [],
        "waitingFlows": {},
        "error": None,
    }
    assert room.health.snapshot() == expected


def test_a_probe_that_failed_keeps_when_it_was_last_well(room: Room, platform: PlatformConfigurationService, clock: FakeClock) -> None:
    room.health.step()
    platform.stop()
    clock.advance(60)
    assert room.health.step() == 1
    snapshot = room.health.snapshot()
    assert (snapshot["status"], snapshot["error"], snapshot["lastOkAt"]) == (
        "unhealthy",
        "CONFIGURATION_UNAVAILABLE",
        "2026-01-01T00:00:00Z",
    )


def test_what_is_not_offered_is_listed(room: Room) -> None:
    room.registration.step()
    assert room.health.snapshot()["notOffered"] == ["POST /api/v1/services/register"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:secret@config:8012/base?token=x", "http://config:8012"),
        ("https://config.example", "https://config.example"),
        ("http://[::1]:8012", "http://[::1]:8012"),
    ],
)
def test_no_credentials_are_shown(url: str, shown: str) -> None:
    assert _host_only(url) == shown


def test_what_the_probe_met_is_what_refused_calls_speak_of(room: Room, platform: PlatformConfigurationService) -> None:
    platform.stop()
    room.health.step()
    with pytest.raises(ConfigurationUnavailable) as refused:
        room.configuration.get_value("k")
    fault = classify(refused.value)
    assert (fault.refused, fault.underlying.type, fault.underlying.target) == (True, FaultType.UPSTREAM, CONFIGURATION_SERVICE)
