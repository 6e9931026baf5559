"""Cancel, pause, resume and retry over a real PostgreSQL: what runs, what does not, and what is kept."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text

from gateway.errors import InvalidInput
from gateway.executions.errors import ActionImpossible, ExecutionNotFound
from gateway.executions.model import MAX_ACTIONS, MAX_LOST_ATTEMPTS, ExecutionAction, ExecutionStatus, ExecutionView
from gateway.outbound.answer import Answer
from tests.fakes.executions import SERVICE, ExecutionWorld, chain_world, flow_document
from tests.fakes.upstream import json_answer

LEASE_SECONDS = 30.0


@pytest.fixture
def world(postgres_url: str) -> Iterator[ExecutionWorld]:
    with chain_world(postgres_url) as world:
        yield world


def statuses(view: ExecutionView) -> dict[str, str]:
    return {node.id: node.status.value for node in view.nodes}


def during_the_call(world: ExecutionWorld, do: Callable[[], object], answer: Answer | None = None) -> None:
    """The next call of a service does this before it answers; those after it answer at once."""
    calm = world.http.request

    def request(*args: Any, **more: Any) -> Answer:
        world.http.request = calm  # type: ignore[method-assign]
        calm(*args, **more)
        do()
        return answer or json_answer("late")

    world.http.request = request  # type: ignore[method-assign]


def outcomes(world: ExecutionWorld) -> list[str]:
    with world.postgres.transaction() as connection:
        return list(connection.execute(text("SELECT outcome FROM node_attempts ORDER BY node_id, epoch")).scalars())


# --- cancel


def test_nothing_of_a_cancelled_execution_runs(world: ExecutionWorld) -> None:
    execution_id = world.start()
    view = world.act(execution_id, "cancel", "wrong city")
    assert (view.status, statuses(view)) == (ExecutionStatus.CANCELLED, {"fetch": "cancelled", "after": "cancelled"})
    assert view.completed_at is not None
    world.pump()
    world.clock.advance(100)
    world.executions.sweep()
    world.pump()
    assert world.http.sent == []
    assert outcomes(world) == []


def test_the_late_result_of_a_cancelled_node_changes_nothing(world: ExecutionWorld) -> None:
    execution_id = world.start()
    during_the_call(world, lambda: world.act(execution_id, "cancel"))
    world.pump()
    view = world.executions.get(execution_id)
    assert (view.status, statuses(view)) == (ExecutionStatus.CANCELLED, {"fetch": "cancelled", "after": "cancelled"})
    assert view.nodes[0].output is None
    world.clock.advance(LEASE_SECONDS * 3)
    world.executions.sweep()
    world.pump()
    assert len(world.http.sent) == 1
    assert outcomes(world) == ["cancelled"]


def test_the_late_failure_of_a_cancelled_node_is_not_tried_again_and_blames_nobody(world: ExecutionWorld) -> None:
    execution_id = world.start()
    during_the_call(world, lambda: world.act(execution_id, "cancel"), json_answer({}, status=404))
    world.pump()
    assert world.executions.get(execution_id).status is ExecutionStatus.CANCELLED
    assert world.faults == []


def test_a_retry_that_waits_for_its_time_is_cancelled(world: ExecutionWorld) -> None:
    world.http.answers = [json_answer({}, status=503), json_answer({})]
    execution_id = world.start()
    world.pump()
    world.act(execution_id, "cancel")
    world.clock.advance(60)
    world.pump()
    assert len(world.http.sent) == 1


def test_cancelling_again_changes_nothing_and_is_not_written_down(world: ExecutionWorld) -> None:
    execution_id = world.start()
    first = world.act(execution_id, "cancel")
    world.clock.advance(5)
    assert world.act(execution_id, "cancel") == first


def test_a_waiter_is_told_of_a_cancel_and_of_a_pause(world: ExecutionWorld) -> None:
    cancelled, paused = world.start(), world.start()
    world.act(cancelled, "cancel")
    world.act(paused, "pause")
    assert world.executions.wait(cancelled, 30).status is ExecutionStatus.CANCELLED
    assert world.executions.wait(paused, 30).status is ExecutionStatus.PAUSED


# --- pause and resume


def test_a_paused_execution_begins_nothing_and_goes_on_when_it_is_resumed(world: ExecutionWorld) -> None:
    execution_id = world.start()
    view = world.act(execution_id, "pause")
    assert (view.status, statuses(view)) == (ExecutionStatus.PAUSED, {"fetch": "paused", "after": "pending"})
    world.pump()
    world.clock.advance(100)
    world.executions.sweep()
    world.pump()
    assert world.http.sent == []
    assert statuses(world.act(execution_id, "resume")) == {"fetch": "ready", "after": "pending"}
    world.pump()
    view = world.executions.get(execution_id)
    assert (view.status, view.result) == (ExecutionStatus.COMPLETED, {})


def test_what_is_under_way_finishes_and_its_result_is_kept(world: ExecutionWorld) -> None:
    execution_id = world.start()
    during_the_call(world, lambda: world.act(execution_id, "pause"), json_answer("kept"))
    world.pump()
    view = world.executions.get(execution_id)
    assert (view.status, statuses(view)) == (ExecutionStatus.PAUSED, {"fetch": "completed", "after": "paused"})
    world.act(execution_id, "resume")
    world.pump()
    assert world.executions.get(execution_id).result == "kept"
    assert len(world.http.sent) == 1


def test_the_last_node_ends_a_paused_execution(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"fetch": SERVICE}))
    execution_id = world.start()
    during_the_call(world, lambda: world.act(execution_id, "pause"))
    world.pump()
    assert world.executions.get(execution_id).status is ExecutionStatus.COMPLETED


def test_a_timer_stands_through_a_pause(world: ExecutionWorld) -> None:
    world.http.answers = [json_answer({}, status=429, Retry_After="60"), json_answer("second")]
    execution_id = world.start()
    world.pump()
    world.act(execution_id, "pause")
    world.clock.advance(20)
    world.act(execution_id, "resume")
    world.pump()
    assert len(world.http.sent) == 1
    world.clock.advance(41)
    world.pump()
    assert world.executions.get(execution_id).result == "second"


def test_a_timer_that_ran_out_during_a_pause_is_due_at_once(world: ExecutionWorld) -> None:
    world.http.answers = [json_answer({}, status=429, Retry_After="60"), json_answer("second")]
    execution_id = world.start()
    during_the_call(world, lambda: world.act(execution_id, "pause"), json_answer({}, status=429, Retry_After="60"))
    world.pump()
    assert statuses(world.executions.get(execution_id))["fetch"] == "paused"
    world.clock.advance(61)
    world.pump()
    assert len(world.http.sent) == 1
    world.http.answers = [json_answer("second")]
    world.act(execution_id, "resume")
    world.pump()
    assert world.executions.get(execution_id).result == "second"


def test_a_node_whose_worker_died_in_a_paused_execution_waits_with_the_others(world: ExecutionWorld) -> None:
    execution_id = world.start()
    other = world.another_process()

    def a_late_message_and_the_sweeper() -> None:
        world.act(execution_id, "pause")
        world.clock.advance(LEASE_SECONDS + 1)
        other.run_node(execution_id, "fetch")
        world.executions.sweep()

    during_the_call(world, a_late_message_and_the_sweeper)
    world.pump()
    assert statuses(world.executions.get(execution_id)) == {"fetch": "paused", "after": "pending"}
    assert len(world.http.sent) == 1
    world.act(execution_id, "resume")
    world.pump()
    assert world.executions.get(execution_id).status is ExecutionStatus.COMPLETED
    assert outcomes(world) == ["succeeded", "lost", "succeeded"]  # of `after`, then of `fetch`


def test_a_failure_ends_a_paused_execution_too(world: ExecutionWorld) -> None:
    execution_id = world.start()
    during_the_call(world, lambda: world.act(execution_id, "pause"), json_answer({}, status=404))
    world.pump()
    view = world.executions.get(execution_id)
    assert (view.status, statuses(view)) == (ExecutionStatus.FAILED, {"fetch": "failed", "after": "cancelled"})


# --- retry


def test_a_failed_execution_is_retried_from_its_failed_node(world: ExecutionWorld) -> None:
    second = {**SERVICE, "config": {**SERVICE["config"], "path": "/second"}}  # type: ignore[dict-item]
    end = {"output": "${nodes.a.output.body + nodes.b.output.body}"}
    world.flows.add(flow_document({"a": SERVICE, "b": second, "end": end}, [("a", "b"), ("b", "end")]))
    world.http.answers = [json_answer(1), json_answer({}, status=404), json_answer(2)]
    failed = world.run()
    assert statuses(failed) == {"a": "completed", "b": "failed", "end": "cancelled"}
    world.flows.add(flow_document({"a": {"output": "another definition"}}, version="2.0.0"))
    world.clock.advance(60)
    view = world.act(failed.id, "retry", "fixed upstream")
    assert (view.status, statuses(view)) == (ExecutionStatus.RUNNING, {"a": "completed", "b": "ready", "end": "pending"})
    assert (view.error, view.completed_at, view.nodes[1].error) == (None, None, None)
    world.pump()
    view = world.executions.get(failed.id)
    assert (view.status, view.result, view.flow_version) == (ExecutionStatus.COMPLETED, 3, "1.0.0")
    assert [node.attempts for node in view.nodes] == [1, 2, 1]
    assert outcomes(world) == ["succeeded", "failed", "succeeded", "succeeded"]


def test_a_retry_has_a_fresh_budget_of_attempts(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"fetch": SERVICE}, retryPolicy={"maxAttempts": 2}))
    world.http.answers = [json_answer({}, status=503)]
    execution_id = world.start()

    def run_to_its_end() -> ExecutionView:
        for _ in range(4):
            world.pump()
            world.clock.advance(60)
        return world.executions.get(execution_id)

    assert (run_to_its_end().status, len(world.http.sent)) == (ExecutionStatus.FAILED, 2)
    world.act(execution_id, "retry")
    view = run_to_its_end()
    assert (view.status, view.nodes[0].attempts) == (ExecutionStatus.FAILED, 4)


def test_edges_that_were_decided_while_it_failed_still_stand_when_it_is_retried(world: ExecutionWorld) -> None:
    """Another node completes after the failure: its edges into cancelled nodes count, taken or not."""
    nodes = {
        "slow": SERVICE,
        "bad": {"type": "service", "config": {"service": "bad", "path": "/"}},
        **{name: {"output": name} for name in ("taken", "untaken", "beyond", "join")},
    }
    edges = [
        ("slow", "taken"),
        ("slow", "untaken", "output.body.never"),
        ("untaken", "beyond"),
        ("bad", "join"),
        ("taken", "join"),
        ("beyond", "join"),
    ]
    world.flows.add(flow_document(nodes, edges))
    execution_id = world.start()
    during_the_call(world, lambda: world.executions.run_node(execution_id, "bad"), json_answer({"never": False}))
    world.executions.run_node(execution_id, "slow")
    for _ in range(4):
        world.clock.advance(60)
        world.pump()
    view = world.executions.get(execution_id)
    assert (view.status, statuses(view)["slow"], statuses(view)["bad"]) == (ExecutionStatus.FAILED, "completed", "failed")
    world.directory.add("bad", 9001)
    world.act(execution_id, "retry")
    world.pump()
    view = world.executions.get(execution_id)
    expected = dict.fromkeys(nodes, "completed") | {"untaken": "skipped", "beyond": "skipped"}
    assert (view.status, statuses(view), view.result) == (ExecutionStatus.COMPLETED, expected, "join")


def test_a_cancelled_execution_is_retried_where_it_was_cancelled(world: ExecutionWorld) -> None:
    execution_id = world.start()
    during_the_call(world, lambda: world.act(execution_id, "cancel"))
    world.pump()
    world.act(execution_id, "retry")
    world.http.answers = [json_answer("in time")]
    world.pump()
    view = world.executions.get(execution_id)
    assert (view.status, view.result, view.nodes[0].attempts) == (ExecutionStatus.COMPLETED, "in time", 2)
    assert {sent.headers["Idempotency-Key"] for sent in world.http.sent} == {f"{execution_id}:fetch"}


def test_a_worker_from_before_the_cancel_cannot_write_into_the_retry(world: ExecutionWorld) -> None:
    execution_id = world.start()

    def cancel_and_retry_elsewhere() -> None:
        world.act(execution_id, "cancel")
        world.act(execution_id, "retry")
        world.http.answers = [json_answer("in time")]
        world.another_process().run_node(execution_id, "fetch")

    during_the_call(world, cancel_and_retry_elsewhere)
    world.executions.run_node(execution_id, "fetch")
    world.pump()
    assert world.executions.get(execution_id).result == "in time"


# --- what is refused, and what is kept


@pytest.mark.parametrize("action", list(ExecutionAction))
def test_a_completed_execution_stays_as_it_is(world: ExecutionWorld, action: ExecutionAction) -> None:
    before = world.run()
    with pytest.raises(ActionImpossible) as raised:
        world.act(before.id, action)
    assert (raised.value.status, raised.value.possible) == (ExecutionStatus.COMPLETED, ())
    assert world.executions.get(before.id) == before


@pytest.mark.parametrize("unknown", ["nope", "a\x00b", "\ud800"])
def test_an_unknown_execution_is_not_found(world: ExecutionWorld, unknown: str) -> None:
    with pytest.raises(ExecutionNotFound):
        world.act(unknown, "cancel")


@pytest.mark.parametrize("reason", ["", "x" * 501, "a\nb"])
def test_a_reason_is_bounded(world: ExecutionWorld, reason: str) -> None:
    execution_id = world.start()
    with pytest.raises(InvalidInput):
        world.act(execution_id, "cancel", reason)
    assert world.executions.get(execution_id).actions == ()


def test_who_did_what_when_and_why_is_kept(world: ExecutionWorld) -> None:
    execution_id = world.start()
    for action, reason in (("pause", "lunch"), ("resume", None), ("cancel", "enough"), ("retry", None)):
        world.act(execution_id, action, reason)
        world.clock.advance(1)
    kept = world.executions.get(execution_id).actions
    assert [(each.action.value, each.reason, each.caller) for each in kept] == [
        ("pause", "lunch", "alice"),
        ("resume", None, "alice"),
        ("cancel", "enough", "alice"),
        ("retry", None, "alice"),
    ]
    assert [(each.from_status.value, each.to_status.value) for each in kept] == [
        ("running", "paused"),
        ("paused", "running"),
        ("running", "cancelled"),
        ("cancelled", "running"),
    ]
    assert (kept[3].taken_at - kept[0].taken_at).total_seconds() == 3


def test_of_many_actions_the_latest_are_kept(world: ExecutionWorld) -> None:
    execution_id = world.start()
    for _ in range(MAX_ACTIONS // 2 + 1):
        world.act(execution_id, "pause")
        world.act(execution_id, "resume", "the last")
    kept = world.executions.get(execution_id).actions
    assert (len(kept), kept[-1].reason) == (MAX_ACTIONS, "the last")


# --- handing back


def hand_back_in_the_middle(world: ExecutionWorld, execution_id: str) -> None:
    during_the_call(world, lambda: world.executions.hand_back(os.getppid()))
    world.executions.run_node(execution_id, "fetch")


def test_what_was_handed_back_on_purpose_is_never_taken_for_a_killer(world: ExecutionWorld) -> None:
    execution_id = world.start()
    for _ in range(MAX_LOST_ATTEMPTS + 1):
        hand_back_in_the_middle(world, execution_id)
    assert statuses(world.executions.get(execution_id))["fetch"] == "ready"
    world.pump()
    assert world.executions.get(execution_id).status is ExecutionStatus.COMPLETED
    assert outcomes(world).count("handed_back") == MAX_LOST_ATTEMPTS + 1


def test_what_is_handed_back_in_a_paused_execution_waits(world: ExecutionWorld) -> None:
    execution_id = world.start()

    def pause_and_leave() -> None:
        world.act(execution_id, "pause")
        assert world.executions.hand_back(os.getppid()) == 0

    during_the_call(world, pause_and_leave)
    world.pump()
    assert statuses(world.executions.get(execution_id)) == {"fetch": "paused", "after": "pending"}
