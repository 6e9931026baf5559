"""What the registry hears of what clients do to an execution, over a real PostgreSQL."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from gateway.errors import Unavailable
from gateway.outbox.service import Work
from tests.fakes.executions import ExecutionWorld, chain_world
from tests.fakes.upstream import json_answer


@pytest.fixture
def world(postgres_url: str) -> Iterator[ExecutionWorld]:
    with chain_world(postgres_url) as world:
        yield world


def after_the_next_transaction(world: ExecutionWorld, do: Callable[[], object]) -> None:
    """Somebody else does this once the next transaction has ended."""
    calm = world.outbox.transaction

    @contextmanager
    def transaction() -> Iterator[Work]:
        world.outbox.transaction = calm  # type: ignore[method-assign]
        with calm() as work:
            yield work
        do()

    world.outbox.transaction = transaction  # type: ignore[method-assign]


def told(world: ExecutionWorld) -> list[str]:
    return [what for what, _ in world.reports.told]


def test_the_registry_hears_of_each_status_in_order(world: ExecutionWorld) -> None:
    world.http.answers = [json_answer({}, status=404), json_answer(1)]
    execution_id = world.start()
    world.act(execution_id, "pause")
    world.pump()
    world.act(execution_id, "resume")
    world.pump()
    world.act(execution_id, "retry")
    world.pump()
    assert told(world) == ["started", "paused", "failed", "completed"]
    assert world.reports.keys == [execution_id]


def test_who_cancelled_is_told_and_a_retry_after_that_gets_a_record_of_its_own(world: ExecutionWorld) -> None:
    execution_id = world.start()
    world.act(execution_id, "cancel", "wrong city")
    world.pump()
    world.act(execution_id, "retry")
    world.pump()
    assert told(world) == ["started", "cancelled", "started", "completed"]
    assert world.reports.keys == [execution_id, f"{execution_id}:2"]
    assert world.reports.changes[0].error_message == "Cancelled by alice: wrong city"


def test_a_retry_just_before_a_second_cancel_is_told_gets_a_record_of_its_own(world: ExecutionWorld) -> None:
    execution_id = world.start()
    world.act(execution_id, "cancel")
    world.pump()
    world.act(execution_id, "retry")
    world.act(execution_id, "cancel")
    after_the_next_transaction(world, lambda: world.act(execution_id, "retry"))
    world.executions.report(execution_id)
    world.pump()
    assert world.reports.keys == [execution_id, f"{execution_id}:2"]
    assert world.reports.told[-1] == ("completed", execution_id)


def test_a_registry_that_was_down_hears_where_the_execution_stands_when_it_is_back(world: ExecutionWorld) -> None:
    world.reports.error = Unavailable("The Configuration Service does not answer")
    execution_id = world.start()
    for action in ("pause", "resume", "cancel"):
        world.act(execution_id, action)
    world.pump()
    world.reports.error = None
    world.clock.advance(300)
    world.pump()
    assert told(world) == ["started", "cancelled"]


def test_what_changes_while_the_registry_is_told_is_told_next(world: ExecutionWorld) -> None:
    execution_id = world.start()
    tell = world.reports.report_status

    def pause_meanwhile(*args: Any) -> None:
        world.reports.report_status = tell  # type: ignore[method-assign]
        world.act(execution_id, "retry")
        world.act(execution_id, "pause")
        tell(*args)

    world.act(execution_id, "cancel")
    world.reports.report_status = pause_meanwhile  # type: ignore[method-assign]
    world.pump()
    assert told(world) == ["started", "cancelled", "started", "paused"]


def test_a_report_in_hand_is_handed_back_too(world: ExecutionWorld) -> None:
    execution_id = world.start()
    tell = world.reports.report_started

    def leave_in_the_middle(*args: Any) -> str | None:
        world.reports.report_started = tell  # type: ignore[method-assign]
        world.executions.hand_back(os.getppid())
        world.executions.report(execution_id)  # another worker is rung for at once
        return tell(*args)

    world.reports.report_started = leave_in_the_middle  # type: ignore[method-assign]
    world.pump()
    assert told(world) == ["started", "completed", "started"]  # the last by whoever left; it is void here
    world.clock.advance(600)
    assert world.executions.sweep().reports == 0
