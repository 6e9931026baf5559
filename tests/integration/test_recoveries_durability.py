"""Dead workers, late writers, a PostgreSQL that is away, and recovery flows: each recovery ends, and none acts twice."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from gateway.configuration.errors import ConfigurationUnavailable
from gateway.databases.errors import DatabaseUnreachable, StatementConflict
from gateway.errors import GatewayError
from gateway.executions.model import ExecutionStatus
from gateway.recovery.decide import Situation, decide
from gateway.recovery.ledger.model import AttemptOutcome, RecoveryStatus
from gateway.recovery.model import Action, Decision, FaultType, FlowOrigin, Strategy
from tests.fakes.executions import flow_document
from tests.fakes.recoveries import CLICKHOUSE, RECONNECT, RecoveryWorld, fault
from tests.servers.fault_proxy import FaultProxy

LEASE_SECONDS = 30
POSTGRES = "database:postgres"
PARAMETERS = ("faultType", "target", "recoveryId", "targetName", "nodeId")
TEXT = [{"name": name, "type": "string", "required": False} for name in PARAMETERS]


class WorkerKilled(BaseException):
    """Stands for SIGKILL: nothing after it runs."""


@pytest.fixture
def world(postgres_url: str, tmp_path: Path) -> Iterator[RecoveryWorld]:
    world = RecoveryWorld(postgres_url, tmp_path / "spool")
    yield world
    world.close()


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[FaultProxy]:
    parts = urlsplit(postgres_url)
    with FaultProxy(str(parts.hostname), parts.port or 5432) as proxy:
        yield proxy


@pytest.fixture
def far_world(postgres_url: str, proxy: FaultProxy, tmp_path: Path) -> Iterator[RecoveryWorld]:
    """The same, with a PostgreSQL that can be away."""
    parts = urlsplit(postgres_url)
    world = RecoveryWorld(postgres_url.replace(f":{parts.port}/", f":{proxy.port}/"), tmp_path / "spool")
    yield world
    world.close()


def heal_flow(*tags: str, flow_id: str = "heal", **more: Any) -> dict[str, Any]:
    document = flow_document({"a": {"output": 1}}, parameters=TEXT, tags=list(tags), **more)
    return {**document, "id": flow_id, "status": "active"}


def learn_flows(world: RecoveryWorld, *documents: dict[str, Any]) -> None:
    world.registry.documents = list(documents)
    world.recoveries.refresh_flows()
    world.later(2)


def kill_worker_in(world: RecoveryWorld, recovery_id: str) -> None:
    """Run a recovery whose worker dies while it connects."""

    def die() -> None:
        raise WorkerKilled

    world.databases.clickhouse.connect = die  # type: ignore[method-assign]
    with pytest.raises(WorkerKilled):
        world.recoveries.run(recovery_id)
    del world.databases.clickhouse.connect  # type: ignore[misc]


def test_a_dead_workers_recovery_is_carried_out_by_another(world: RecoveryWorld) -> None:
    recovery_id = world.intend()
    world.lose_all_messages()
    kill_worker_in(world, recovery_id)
    world.recoveries.run(recovery_id)  # somebody holds it
    assert world.recoveries.get(recovery_id).status is RecoveryStatus.RUNNING
    world.clock.advance(LEASE_SECONDS + 1)
    world.databases.clickhouse.down = False
    assert world.recoveries.sweep().rung == 1
    world.pump()
    view = world.recoveries.get(recovery_id)
    assert view.status is RecoveryStatus.RECOVERED
    assert [each.outcome for each in view.attempts] == [AttemptOutcome.LOST, AttemptOutcome.SKIPPED]
    assert len(world.ended) == 1


def test_a_worker_that_wakes_up_late_changes_nothing(world: RecoveryWorld) -> None:
    recovery_id = world.intend()
    world.lose_all_messages()
    connect = world.databases.clickhouse.connect

    def overtaken() -> None:
        world.databases.clickhouse.connect = connect  # type: ignore[method-assign]
        world.databases.clickhouse.down = False
        world.clock.advance(LEASE_SECONDS + 1)
        world.another_process("worker-2").run(recovery_id)
        raise DatabaseUnreachable("clickhouse", "ClickHouse does not answer")

    world.databases.clickhouse.connect = overtaken  # type: ignore[method-assign]
    world.recoveries.run(recovery_id)
    view = world.recoveries.get(recovery_id)
    assert (view.status, len(world.ended)) == (RecoveryStatus.RECOVERED, 1)
    assert [(each.worker, each.outcome.value) for each in view.attempts] == [("worker-1", "lost"), ("worker-2", "skipped")]


def test_a_dead_workers_recovery_does_not_stay_open_when_its_target_heals_itself(world: RecoveryWorld) -> None:
    recovery_id = world.intend()
    kill_worker_in(world, recovery_id)
    world.clock.advance(1)
    world.recoveries.healed(CLICKHOUSE)
    world.recoveries.step()
    view = world.recoveries.get(recovery_id)
    assert (view.status, view.attempts[0].outcome) == (RecoveryStatus.RECOVERED, AttemptOutcome.LOST)


def test_a_strategy_that_crashes_ends_its_attempt(world: RecoveryWorld) -> None:
    recovery_id = world.intend()
    world.databases.clickhouse.connect = lambda: 1 / 0  # type: ignore[method-assign,assignment]
    world.pump()
    view = world.recoveries.get(recovery_id)
    assert (view.status, view.attempts[0].detail) == (RecoveryStatus.PENDING, "The attempt crashed: ZeroDivisionError")


def test_what_broke_while_postgres_was_away_is_written_down_when_it_is_back(far_world: RecoveryWorld, proxy: FaultProxy) -> None:
    far_world.recoveries.step()
    proxy.refuse()
    recovery_id = far_world.intend(POSTGRES)
    broken_since = far_world.clock.now()
    assert far_world.recoveries.intend(fault(POSTGRES), RECONNECT) == recovery_id
    assert list(far_world.directory.glob("recoveries-*.jsonl"))
    far_world.clock.advance(30)
    far_world.recoveries.step()
    proxy.accept_again()
    far_world.recoveries.healed(POSTGRES)
    far_world.recoveries.step()
    view = far_world.recoveries.get(recovery_id)
    assert (view.status, view.broken_since, view.duration_ms) == (RecoveryStatus.RECOVERED, broken_since, 30_000)
    assert not list(far_world.directory.glob("recoveries-*.jsonl"))
    assert len(far_world.ended) == 1


def test_what_a_dead_process_spooled_is_written_down_by_another(far_world: RecoveryWorld, proxy: FaultProxy) -> None:
    proxy.refuse()
    dying = far_world.another_process("worker-2")
    recovery_id = dying.intend(fault(POSTGRES), RECONNECT)
    dying.stop()
    proxy.accept_again()
    far_world.recoveries.step()
    assert recovery_id
    assert far_world.recoveries.get(recovery_id).status is RecoveryStatus.PENDING


def test_intents_that_come_late_join_the_recovery_that_ended_their_outage(far_world: RecoveryWorld, proxy: FaultProxy) -> None:
    other = far_world.another_process("worker-2")
    proxy.refuse()
    late = other.intend(fault(POSTGRES), RECONNECT)
    other.step()
    far_world.clock.advance(2)
    given = far_world.intend(POSTGRES)
    far_world.clock.advance(3)
    proxy.accept_again()
    far_world.recoveries.healed(POSTGRES)
    far_world.recoveries.step()
    other.step()
    other.stop()
    assert late
    for recovery_id in (late, given):
        view = far_world.recoveries.get(recovery_id)
        assert (view.id, view.merged_ids, view.status, view.duration_ms) == (given, (late,), RecoveryStatus.RECOVERED, 5000)
    assert far_world.pump() <= 1  # the one that was rung for finds it ended
    assert len(far_world.ended) == 1


def test_a_record_that_can_never_be_written_stands_in_nobodys_way(world: RecoveryWorld) -> None:
    refused = world.recoveries.intend(fault("service:a\x00b"), RECONNECT)
    kept = world.intend("service:z")
    assert world.recoveries.get(kept).status is RecoveryStatus.PENDING
    assert world.recoveries.intend(fault("service:a\x00b"), RECONNECT) != refused


def test_what_a_detail_quotes_can_be_kept(world: RecoveryWorld) -> None:
    recovery_id = world.recoveries.intend(replace(fault(), detail="no \x00 \ud800 " + "x" * 2000), RECONNECT)
    world.recoveries.step()
    assert recovery_id
    assert world.recoveries.get(recovery_id).detail.startswith("no \ufffd ? xxx")


def test_many_workers_that_are_rung_at_once_act_once(world: RecoveryWorld) -> None:
    recovery_id = world.intend()
    world.databases.clickhouse.down = False
    workers = [world.another_process(f"worker-{number}") for number in range(6)]
    with ThreadPoolExecutor(len(workers)) as pool:
        list(pool.map(lambda worker: worker.run(recovery_id), workers))
    assert world.databases.clickhouse.calls == ["ping"]
    assert len(world.ended) == 1


def test_many_processes_that_write_at_once_open_one_recovery_for_each_target(world: RecoveryWorld) -> None:
    targets = [f"service:s{number}" for number in range(20)]
    processes = [world.another_process(f"web-{number}") for number in range(4)]
    orders = [targets, targets[::-1]]
    given = [process.intend(fault(target), RECONNECT) for number, process in enumerate(processes) for target in orders[number % 2]]
    with ThreadPoolExecutor(len(processes)) as pool:
        list(pool.map(lambda process: process.stop(), processes))
    assert world.recoveries.list_page().total == len(targets)
    carried_out = {world.recoveries.get(str(each)).id for each in given}
    assert len(carried_out) == len(targets)
    assert not list(world.directory.glob("recoveries-*.jsonl"))  # nobody stood in another's way


def test_the_memory_that_waits_is_bounded(world: RecoveryWorld) -> None:
    given = [world.recoveries.intend(fault(f"service:s{number}"), RECONNECT) for number in range(1100)]
    assert len([each for each in given if each]) == 1000
    world.recoveries.step()
    assert world.recoveries.list_page().total == 1000


def test_a_recovery_flow_runs_once_with_the_fault_as_its_parameters(world: RecoveryWorld) -> None:
    learn_flows(world, heal_flow("recovery:DATABASE_CONNECTION_ERROR"))
    assert world.recoveries.has_flow(fault())
    decision = decide(fault(), Situation(recovery_flow=True))
    recovery_id = world.intend(CLICKHOUSE, decision, origin=FlowOrigin("f1", "run-1", "fetch"))
    world.pump()
    world.clock.advance(2)
    world.pump()
    view = world.recoveries.get(recovery_id)
    assert (view.status, view.action, view.flow_id, view.execution_id) == (
        RecoveryStatus.PENDING,
        "run_recovery_flow",
        "heal",
        "execution-1",
    )
    assert [each.outcome for each in view.attempts] == [AttemptOutcome.WAITING]
    world.runs.status = ExecutionStatus.COMPLETED
    world.clock.advance(2)
    world.pump()
    view = world.recoveries.get(recovery_id)
    assert (view.status, view.healed_by) == (RecoveryStatus.RECOVERED, "run_recovery_flow")
    assert [each.outcome for each in view.attempts] == [AttemptOutcome.SUCCEEDED]
    [started] = world.runs.started
    assert (started["flow_id"], started["key"], started["triggered_by"]) == ("heal", recovery_id, "recovery")
    assert started["parameters"] == {
        "faultType": "DATABASE_CONNECTION_ERROR",
        "target": CLICKHOUSE,
        "targetName": "clickhouse",
        "recoveryId": recovery_id,
        "nodeId": "fetch",
    }


def test_a_worker_killed_after_starting_a_recovery_flow_starts_it_once(world: RecoveryWorld) -> None:
    learn_flows(world, heal_flow("recovery:DATABASE_CONNECTION_ERROR"))
    recovery_id = world.intend()
    world.lose_all_messages()
    get = world.runs.get

    def die(execution_id: str) -> Any:
        if len(world.runs.started):
            raise WorkerKilled
        return get(execution_id)

    world.runs.get = die  # type: ignore[method-assign]
    with pytest.raises(WorkerKilled):
        world.recoveries.run(recovery_id)
    world.runs.get = get  # type: ignore[method-assign]
    world.runs.status = ExecutionStatus.COMPLETED
    world.clock.advance(LEASE_SECONDS + 1)
    world.recoveries.sweep()
    world.pump()
    assert world.recoveries.get(recovery_id).status is RecoveryStatus.RECOVERED
    assert len(world.runs.started) == 1


@pytest.mark.parametrize(
    ("ended", "detail"),
    [(ExecutionStatus.FAILED, "The recovery flow failed"), (ExecutionStatus.CANCELLED, "The recovery flow was cancelled")],
)
def test_a_recovery_flow_that_does_not_complete_fails_its_recovery(world: RecoveryWorld, ended: ExecutionStatus, detail: str) -> None:
    learn_flows(world, heal_flow("recovery:DATABASE_CONNECTION_ERROR"))
    recovery_id = world.intend()
    world.runs.status = ended
    world.pump()
    view = world.recoveries.get(recovery_id)
    assert (view.status, view.attempts[0].detail) == (RecoveryStatus.FAILED, detail)


DEADLOCK = StatementConflict("postgres", "Two transactions waited for each other", vendor_code="40P01")


@pytest.mark.parametrize("error", [ConfigurationUnavailable("down"), DEADLOCK], ids=["registry", "deadlock"])
def test_a_recovery_flow_that_cannot_be_started_now_is_started_later(world: RecoveryWorld, error: GatewayError) -> None:
    learn_flows(world, heal_flow("recovery:DATABASE_CONNECTION_ERROR"))
    recovery_id = world.intend()
    world.runs.error = error
    world.pump()
    assert world.recoveries.get(recovery_id).status is RecoveryStatus.PENDING
    world.runs.error = None
    world.clock.advance(10)
    world.pump()
    assert len(world.runs.started) == 1


def test_a_flow_that_runs_is_not_cut_short_by_its_target_coming_back(world: RecoveryWorld) -> None:
    learn_flows(world, heal_flow("recovery:DATABASE_CONNECTION_ERROR"))
    recovery_id = world.intend()
    world.pump()
    world.recoveries.healed(CLICKHOUSE)
    world.recoveries.step()
    assert world.recoveries.get(recovery_id).status is RecoveryStatus.PENDING


def test_the_most_specific_recovery_flow_is_run(world: RecoveryWorld) -> None:
    learn_flows(
        world,
        heal_flow("recovery:DATABASE_CONNECTION_ERROR", flow_id="any"),
        heal_flow("recovery:DATABASE_CONNECTION_ERROR", CLICKHOUSE, flow_id="very"),
        heal_flow("recovery:DATABASE_CONNECTION_ERROR", POSTGRES, flow_id="other"),
        {**heal_flow("recovery:FLOW_ERROR", flow_id="draft"), "status": "draft"},
        heal_flow("recovery:NO_SUCH_ERROR", flow_id="nonsense"),
    )
    assert world.recoveries.get(world.intend()).flow_id == "very"
    assert world.recoveries.get(world.intend("database:weaviate")).flow_id == "any"
    assert world.recoveries.has_flow(fault(None, FaultType.FLOW))
    assert not world.recoveries.has_flow(fault(None, FaultType.TIMEOUT))


def test_a_registry_that_is_down_takes_no_recovery_flow_away(world: RecoveryWorld) -> None:
    learn_flows(world, heal_flow("recovery:DATABASE_CONNECTION_ERROR"))
    world.registry.stale = True
    learn_flows(world)
    assert world.recoveries.has_flow(fault())


def test_a_fault_without_a_target_recovers_its_flow(world: RecoveryWorld) -> None:
    learn_flows(world, heal_flow("recovery:FLOW_ERROR"))
    broken = fault(None, FaultType.FLOW, FlowOrigin("f1", "run-1", "fetch"))
    recovery_id = world.recoveries.consider(broken)
    world.recoveries.step()
    assert recovery_id
    assert world.recoveries.get(recovery_id).target == "flow:f1"


def test_what_healed_best_before_is_done_about_nodes_and_what_watchers_saw_too(world: RecoveryWorld) -> None:
    world.learned = Action.REFRESH_DISCOVERY
    considered = world.recoveries.consider(fault(CLICKHOUSE))
    reported = world.recoveries.report(fault("database:weaviate"))
    world.recoveries.step()
    for recovery_id in (considered, reported):
        assert recovery_id
        assert world.recoveries.get(recovery_id).action == Action.REFRESH_DISCOVERY.value


def test_an_action_that_no_worker_knows_has_failed(world: RecoveryWorld) -> None:
    recovery_id = world.intend(CLICKHOUSE, Decision(Action.FALLBACK, Strategy.DELAYED, "tests"))
    world.pump()
    assert world.recoveries.get(recovery_id).status is RecoveryStatus.FAILED


def test_a_recovery_flow_that_was_not_needed_is_listed_as_skipped(world: RecoveryWorld) -> None:
    learn_flows(world, heal_flow("recovery:DATABASE_CONNECTION_ERROR"))
    recovery_id = world.intend()
    world.clock.advance(3)
    world.recoveries.healed(CLICKHOUSE)
    world.recoveries.step()
    world.pump()
    view = world.recoveries.get(recovery_id)
    assert (view.healed_by, view.duration_ms, world.runs.started) == ("itself", 3000, [])
    assert [(each.action, each.outcome, each.detail) for each in view.attempts] == [
        ("run_recovery_flow", AttemptOutcome.SKIPPED, "Not needed: the target was well by itself before this was begun")
    ]


def test_no_recovery_flow_is_begun_for_a_database_that_is_well_again(world: RecoveryWorld) -> None:
    """The broker's own database is one: its workers hear of its recovery when it is back."""
    learn_flows(world, heal_flow("recovery:DATABASE_CONNECTION_ERROR"))
    recovery_id = world.intend()
    world.databases.clickhouse.down = False
    world.pump()
    view = world.recoveries.get(recovery_id)
    assert (view.status, view.healed_by, world.runs.started) == (RecoveryStatus.RECOVERED, "itself", [])
    assert [(each.action, each.outcome, each.detail) for each in view.attempts] == [
        ("run_recovery_flow", AttemptOutcome.SKIPPED, "ClickHouse 25.8 answers")
    ]


def test_a_recovery_flow_that_a_dead_worker_may_have_begun_is_its_recoverys_outcome(world: RecoveryWorld) -> None:
    learn_flows(world, heal_flow("recovery:DATABASE_CONNECTION_ERROR"))
    recovery_id = world.intend()
    world.lose_all_messages()
    start = world.runs.start

    def die(*arguments: Any, **more: Any) -> Any:
        start(*arguments, **more)
        raise WorkerKilled

    world.runs.start = die  # type: ignore[method-assign]
    with pytest.raises(WorkerKilled):
        world.recoveries.run(recovery_id)
    world.runs.start = start  # type: ignore[method-assign]
    world.databases.clickhouse.down = False
    world.clock.advance(LEASE_SECONDS + 1)
    world.recoveries.run(recovery_id)
    assert world.recoveries.get(recovery_id).attempts[-1].outcome is AttemptOutcome.WAITING
    world.runs.status = ExecutionStatus.COMPLETED
    world.clock.advance(2)
    world.pump()
    assert world.recoveries.get(recovery_id).healed_by == "run_recovery_flow"


def test_a_recovery_flow_for_what_a_ping_does_not_show_is_run_though_the_database_answers(world: RecoveryWorld) -> None:
    learn_flows(world, heal_flow("recovery:TIMEOUT_ERROR"))
    world.intend(kind=FaultType.TIMEOUT)
    world.databases.clickhouse.down = False
    world.pump()
    assert len(world.runs.started) == 1
