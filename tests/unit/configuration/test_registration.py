"""The gateway's own entry in the registry, step by step; the service is scripted."""

from typing import Any

import pytest

from config.groups import ConfigurationSettings
from gateway.configuration.errors import ConfigurationUnavailable, NotOffered
from gateway.configuration.registration import Registration
from gateway.errors import UpstreamInvalid
from gateway.version import VERSION

TTL_SECONDS = 30


class FakeRegistry:
    """Takes registrations; `failure` is raised instead when set."""

    def __init__(self) -> None:
        self.registered: list[dict[str, Any]] = []
        self.renewed: list[str] = []
        self.left: list[str] = []
        self.alive = True
        self.failure: Exception | None = None
        self.granted: Any = TTL_SECONDS

    def _fail(self) -> None:
        if self.failure:
            raise self.failure

    def register_service(self, registration: dict[str, Any], *, timeout_seconds: float | None = None) -> dict[str, Any]:
        self._fail()
        self.registered.append(registration)
        return {"id": "lease-1", "ttlSeconds": self.granted, "expiresAt": "2026-01-01T00:00:30Z"}

    def renew_service(self, service_id: str) -> bool:
        self._fail()
        self.renewed.append(service_id)
        return self.alive

    def leave_service(self, service_id: str, *, timeout_seconds: float) -> None:
        self._fail()
        self.left.append(service_id)


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry()


@pytest.fixture
def registration(registry: FakeRegistry) -> Registration:
    settings = ConfigurationSettings.read({"SERVICE_HOST": "10.0.0.5"})
    return Registration(registry, settings, port=3001, depends_on=("postgres",))  # type: ignore[arg-type]


def test_registers_and_renews_every_third_of_the_lease(registration: Registration, registry: FakeRegistry) -> None:
    assert not registration.snapshot().registered
    assert registration.step() == TTL_SECONDS / 3
    assert registration.snapshot().registered
    assert registration.step() == TTL_SECONDS / 3
    assert registry.renewed == ["lease-1"]
    assert registry.registered == [
        {
            "name": "api-gateway",
            "version": VERSION,
            "host": "10.0.0.5",
            "port": 3001,
            "protocol": "http",
            "healthEndpoint": "/health",
            "capabilities": [],
            "metadata": {"dependsOn": ["postgres"]},
            "ttlSeconds": TTL_SECONDS,
        }
    ]


@pytest.mark.parametrize(("granted", "wait_seconds"), [(9, 3), (3600, 10), (0, 10), (None, 10), ("x", 10)])
def test_a_shorter_lease_than_asked_for_is_renewed_sooner(
    registration: Registration, registry: FakeRegistry, granted: Any, wait_seconds: float
) -> None:
    registry.granted = granted
    assert registration.step() == wait_seconds


def test_a_lease_that_ran_out_is_taken_anew(registration: Registration, registry: FakeRegistry) -> None:
    registration.step()
    registry.alive = False
    registration.step()
    assert len(registry.registered) == 2
    assert registration.snapshot().registered


@pytest.mark.parametrize("failure", [ConfigurationUnavailable("down"), UpstreamInvalid("nonsense")])
def test_tries_again_soon_while_the_service_is_down(registration: Registration, registry: FakeRegistry, failure: Exception) -> None:
    registry.failure = failure
    assert registration.step() <= 2
    assert registration.snapshot().problem
    registry.failure = None
    registration.step()
    assert registration.snapshot().registered
    registry.failure = failure
    registration.step()
    assert not registration.snapshot().registered
    registry.failure = None
    registration.step()
    assert registry.renewed == ["lease-1"], "the lease is renewed when the service still knows it"


def test_asks_rarely_where_it_is_not_offered(registration: Registration, registry: FakeRegistry) -> None:
    registry.failure = NotOffered("The Configuration Service does not offer it")
    assert registration.step() == 60
    assert registration.snapshot().problem == "The Configuration Service does not offer it"


def test_leaving_gives_the_lease_up_once(registration: Registration, registry: FakeRegistry) -> None:
    registration.step()
    registration.leave()
    registration.leave()
    assert registry.left == ["lease-1"]
    assert not registration.snapshot().registered


def test_leaving_is_harmless_without_a_lease_and_without_a_service(registration: Registration, registry: FakeRegistry) -> None:
    registration.leave()
    assert registry.left == []
    registration.step()
    registry.failure = ConfigurationUnavailable("down")
    registration.leave()
    assert not registration.snapshot().registered


def test_a_process_that_ends_keeps_the_lease_for_the_others(registration: Registration, registry: FakeRegistry) -> None:
    registration.step()
    registration.stop()
    assert registry.left == []
    assert registration.snapshot().registered
