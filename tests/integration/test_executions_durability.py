"""Lost messages, dead workers, late writers and races, over a real PostgreSQL."""

import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from gateway.executions.model import MAX_LOST_ATTEMPTS, ExecutionStatus
from gateway.executions.sweeping import RING_AGAIN_SECONDS, Swept
from gateway.outbound.answer import Answer
from gateway.outbox.model import TaskName
from gateway.recovery.model import FlowOrigin
from tests.fakes.executions import ExecutionWorld, flow_document
from tests.fakes.upstream import json_answer

SERVICE = {"type": "service", "config": {"service": "prices", "path": "/today"}}
LEASE_SECONDS = 30.0


class WorkerKilled(BaseException):
    """Stands for SIGKILL: nothing after it runs."""


@pytest.fixture
def world(postgres_url: str) -> Iterator[ExecutionWorld]:
    world = ExecutionWorld(postgres_url)
    world.directory.add("prices", 9000)
    yield world
    world.close()


def lose_all_messages(world: ExecutionWorld) -> None:
    while world.relay.drain().sent:
        world.sender.sent.clear()


def kill_in(world: ExecutionWorld, execution_id: str, node_id: str) -> None:
    """Run a node whose worker dies while it runs."""
    answers, world.http.answers = world.http.answers, [WorkerKilled()]  # type: ignore[list-item]
    real = world.http.request

    def die(*_: Any, **__: Any) -> Answer:
        raise WorkerKilled

    world.http.request = die  # type: ignore[method-assign]
    with pytest.raises(WorkerKilled):
        world.executions.run_node(execution_id, node_id)
    world.http.request = real  # type: ignore[method-assign]
    world.http.answers = answers


def test_losing_every_message_delays_and_loses_nothing(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"a": {"output": 1}, "b": {"output": 2}}, [("a", "b")]))
    execution_id = world.start()
    lose_all_messages(world)
    assert world.executions.sweep() == Swept()  # they may still be on their way
    world.clock.advance(RING_AGAIN_SECONDS + 1)
    assert world.executions.sweep() == Swept(nodes=1, reports=1)
    assert world.executions.sweep() == Swept()  # rung a moment ago
    world.pump()
    assert world.executions.get(execution_id).status is ExecutionStatus.COMPLETED
    assert [what for what, _ in world.reports.told] == ["started", "completed"]


def test_a_lost_retry_is_rung_again(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"fetch": SERVICE}))
    world.http.answers = [json_answer({}, status=503), json_answer({"ok": 1})]
    execution_id = world.start()
    world.pump()
    world.clock.advance(10)
    lose_all_messages(world)
    world.clock.advance(RING_AGAIN_SECONDS)
    world.executions.sweep()
    world.pump()
    assert world.executions.get(execution_id).status is ExecutionStatus.COMPLETED


def test_nothing_is_added_to_an_outbox_that_is_behind(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"a": {"output": 1}}))
    world.start()
    world.clock.advance(RING_AGAIN_SECONDS * 10)  # the broker is down all this time
    assert world.executions.sweep() == Swept()


def test_ringing_twice_runs_once(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"fetch": SERVICE}))
    execution_id = world.start()
    for _ in range(3):
        world.executions.run_node(execution_id, "fetch")
    assert len(world.http.sent) == 1


def test_unknown_ids_are_harmless(world: ExecutionWorld) -> None:
    world.executions.run_node("nope", "nope")
    world.executions.report("nope")


def test_a_node_that_somebody_holds_is_left_alone(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"fetch": SERVICE}))
    execution_id = world.start()
    kill_in(world, execution_id, "fetch")
    world.clock.advance(LEASE_SECONDS - 1)
    world.executions.run_node(execution_id, "fetch")
    assert world.http.sent == []


def test_a_dead_workers_node_is_run_by_another(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"fetch": SERVICE}))
    execution_id = world.start()
    lose_all_messages(world)
    kill_in(world, execution_id, "fetch")
    world.clock.advance(LEASE_SECONDS + 1)
    assert world.executions.sweep().nodes == 1
    world.pump()
    view = world.executions.get(execution_id)
    assert view.status is ExecutionStatus.COMPLETED
    assert view.nodes[0].attempts == 2
    with world.postgres.transaction() as connection:
        assert connection.execute(text("SELECT outcome FROM node_attempts ORDER BY epoch")).scalars().all() == ["lost", "succeeded"]


def test_a_late_writer_changes_nothing(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"fetch": SERVICE, "after": {"output": "${nodes.fetch.output.body}"}}, [("fetch", "after")]))
    execution_id = world.start()
    other = world.another_process()

    def freeze_and_be_overtaken(*_: Any, **__: Any) -> Answer:
        world.http.request = lambda *_, **__: json_answer("second")  # type: ignore[method-assign]
        world.clock.advance(LEASE_SECONDS + 1)
        other.run_node(execution_id, "fetch")
        return json_answer("first")

    world.http.request = freeze_and_be_overtaken  # type: ignore[method-assign]
    world.executions.run_node(execution_id, "fetch")
    world.pump()
    view = world.executions.get(execution_id)
    assert view.result == "second"
    assert view.nodes[1].attempts == 1
    assert view.status is ExecutionStatus.COMPLETED


def test_a_lease_is_renewed_while_its_node_runs(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"fetch": SERVICE}))
    execution_id = world.start()
    leases = world.executions._runner._leases

    def outlive_the_lease(*_: Any, **__: Any) -> Answer:
        with world.postgres.transaction() as connection:
            row = connection.execute(text("SELECT epoch FROM execution_nodes")).one()
        from gateway.executions.model import Claim

        claim = Claim(execution_id, "fetch", row.epoch, "f1", "", {}, "")
        world.clock.advance(LEASE_SECONDS - 1)
        assert leases.renew(claim)
        world.clock.advance(LEASE_SECONDS - 1)
        assert world.executions.sweep().nodes == 0
        assert not leases.renew(Claim(execution_id, "fetch", row.epoch - 1, "f1", "", {}, ""))
        return json_answer("done")

    lose_all_messages(world)
    world.http.request = outlive_the_lease  # type: ignore[method-assign]
    world.executions.run_node(execution_id, "fetch")
    assert world.executions.get(execution_id).status is ExecutionStatus.COMPLETED


def test_what_an_ended_worker_held_is_rung_for_at_once_and_its_late_writing_is_void(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"fetch": SERVICE}))
    execution_id = world.start()
    lose_all_messages(world)

    def leave_in_the_middle(*_: Any, **__: Any) -> Answer:
        assert world.executions.hand_back(os.getpid()) == 0  # its children's leases, not its own
        assert world.executions.hand_back(os.getppid()) == 1
        return json_answer("late")

    answering, world.http.request = world.http.request, leave_in_the_middle  # type: ignore[method-assign]
    world.executions.run_node(execution_id, "fetch")
    assert world.executions.get(execution_id).status is ExecutionStatus.RUNNING
    world.http.request = answering  # type: ignore[method-assign]
    world.http.answers = [json_answer("in time")]
    world.pump()
    view = world.executions.get(execution_id)
    assert (view.status, view.result["body"], view.nodes[0].attempts) == (ExecutionStatus.COMPLETED, "in time", 2)
    assert world.executions.hand_back(os.getppid()) == 0


def test_a_node_that_kills_every_worker_is_given_up(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"fetch": SERVICE}))
    execution_id = world.start()
    for _ in range(MAX_LOST_ATTEMPTS):
        kill_in(world, execution_id, "fetch")
        world.clock.advance(LEASE_SECONDS + 1)
    world.executions.run_node(execution_id, "fetch")
    view = world.executions.get(execution_id)
    assert view.status is ExecutionStatus.FAILED
    assert view.error is not None
    assert view.error["code"] == "NODE_LOST"


def test_a_lost_node_of_a_failing_execution_is_not_run_again(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"fetch": SERVICE, "bad": {"output": "${parameters.nothing}"}}))
    execution_id = world.start()
    kill_in(world, execution_id, "fetch")
    world.executions.run_node(execution_id, "bad")
    assert world.executions.get(execution_id).status is ExecutionStatus.RUNNING
    world.clock.advance(LEASE_SECONDS + 1)
    world.executions.run_node(execution_id, "fetch")
    view = world.executions.get(execution_id)
    assert view.status is ExecutionStatus.FAILED
    assert world.http.sent == []
    assert {node.id: node.status.value for node in view.nodes} == {"fetch": "cancelled", "bad": "failed"}


def test_many_workers_at_once_run_each_node_once_and_join_once(world: ExecutionWorld) -> None:
    names = [f"n{number}" for number in range(24)]
    nodes: dict[str, Any] = {name: {"output": 1} for name in names} | {"end": {"output": "done"}}
    world.flows.add(flow_document(nodes, [(name, "end") for name in names]))
    execution_id = world.start()
    failures: list[Exception] = []

    def work() -> None:
        try:
            executions = world.another_process()
            for name in [*names, "end"]:
                executions.run_node(execution_id, name)
        except Exception as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    view = world.executions.get(execution_id)
    assert view.status is ExecutionStatus.COMPLETED
    assert {node.attempts for node in view.nodes} == {1}


def test_one_key_from_many_threads_starts_one_execution(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"a": {"output": 1}}))
    started: list[Any] = []
    gate = threading.Barrier(6)

    def start() -> None:
        gate.wait()
        started.append(world.executions.start("f1", {}, triggered_by="api", execution_context={}, idempotency_key="k", caller="a"))

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({each.execution.id for each in started}) == 1
    assert [each.created for each in started].count(True) == 1


def test_what_is_past_its_retention_is_forgotten_with_all_its_rows(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"a": {"output": 1}}))
    world.run()
    running = world.start()
    world.clock.advance(timedelta(days=31).total_seconds())
    lose_all_messages(world)
    assert world.executions.sweep().forgotten == 1
    with world.postgres.transaction() as connection:
        assert connection.execute(text("SELECT id FROM executions")).scalars().all() == [running]
        assert connection.execute(text("SELECT count(*) FROM node_attempts")).scalar_one() == 0


def test_the_request_id_reaches_the_message(world: ExecutionWorld) -> None:
    from gateway.observability.context import request_context

    world.flows.add(flow_document({"a": {"output": 1}}))
    with request_context("caller-1"):
        world.start()
    world.relay.drain()
    assert {(each.task, each.request_id) for each in world.sender.sent} == {
        (TaskName.RUN_NODE.value, "caller-1"),
        (TaskName.REPORT.value, "caller-1"),
    }


def test_a_node_that_failed_for_good_leaves_its_fault_to_recovery_with_where_it_happened(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"fetch": SERVICE}, retryPolicy={"maxAttempts": 2, "baseDelay": 1000}))
    world.http.answers = [json_answer({}, status=503)]
    execution_id = world.start()
    world.pump()
    assert world.faults == []  # the node's own error policy comes first
    world.clock.advance(60)
    world.pump()
    [(fault, triggered_by)] = world.faults
    assert (fault.target, triggered_by) == ("service:prices", "tests")
    assert fault.origin == FlowOrigin("f1", execution_id, "fetch")
