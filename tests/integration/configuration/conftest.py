"""The room against the platform's own service, over a real PostgreSQL."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.doubles.platform_configuration_service import PlatformConfigurationService
from tests.fakes.clock import FakeClock
from tests.fakes.configuration_room import Room, build_room


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def platform() -> Iterator[PlatformConfigurationService]:
    with PlatformConfigurationService(config={"k": "v"}) as service:
        yield service


@pytest.fixture
def room(platform: PlatformConfigurationService, clock: FakeClock, postgres_url: str) -> Iterator[Room]:
    with closing(build_room(platform.url, clock, postgres_url=postgres_url)) as built:
        yield built


@pytest.fixture
def other(platform: PlatformConfigurationService, clock: FakeClock, postgres_url: str) -> Iterator[Room]:
    """Another process: its own memory, the same rows."""
    with closing(build_room(platform.url, clock, postgres_url=postgres_url)) as built:
        yield built
