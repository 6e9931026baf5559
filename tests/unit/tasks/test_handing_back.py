"""What a leaving worker had in hand is handed back: nodes and recoveries, of its own children only."""

import os
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.databases.errors import DatabaseUnreachable
from gateway.executions.service import workers_of
from tasks import handing_back


@dataclass
class FakeRoom:
    """Remembers whose leases it was told to end."""

    given: list[Any] = field(default_factory=list)
    error: Exception | None = None

    def hand_back(self, of: Any) -> int:
        if self.error:
            raise self.error
        self.given.append(of)
        return 1


@dataclass
class FakeContainer:
    executions: FakeRoom = field(default_factory=FakeRoom)
    recoveries: FakeRoom = field(default_factory=FakeRoom)
    stopped: int = 0

    def stop(self) -> None:
        self.stopped += 1


@pytest.fixture
def container(monkeypatch: pytest.MonkeyPatch) -> FakeContainer:
    container = FakeContainer()
    monkeypatch.setattr(handing_back.process, "build", lambda: container)
    return container


def test_nodes_and_recoveries_are_handed_back(container: FakeContainer) -> None:
    handing_back.hand_back()
    assert container.executions.given == [os.getpid()]
    assert container.recoveries.given == [workers_of(os.getpid())]
    assert container.stopped == 1


def test_without_postgresql_leases_run_out_by_themselves(container: FakeContainer) -> None:
    container.recoveries.error = DatabaseUnreachable("postgres", "PostgreSQL cannot be reached")
    handing_back.hand_back()
    assert container.stopped == 1
