"""The ledger over a real PostgreSQL: opened once per target, carried out, tried again, ended once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.configuration.errors import ConfigurationUnavailable
from gateway.databases.model import DatabaseName
from gateway.outbound.errors import UpstreamUnreachable
from gateway.recovery.breaker import BreakerState
from gateway.recovery.ledger.errors import RecoveryNotFound
from gateway.recovery.ledger.intake import REMEMBERED_SECONDS
from gateway.recovery.ledger.model import AttemptOutcome, RecoveryStatus
from gateway.recovery.ledger.sweeping import RING_AGAIN_SECONDS
from gateway.recovery.model import Action, Decision, FlowOrigin, Strategy
from gateway.recovery.targets import CONFIGURATION_SERVICE
from tests.fakes.recoveries import CLICKHOUSE, FAILOVER, ORDERS, RECONNECT, RecoveryWorld, fault
from tests.fakes.upstream import json_answer


@pytest.fixture
def world(postgres_url: str, tmp_path: Path) -> Iterator[RecoveryWorld]:
    world = RecoveryWorld(postgres_url, tmp_path / "spool", RECOVERY_MAX_SECONDS="60")
    yield world
    world.close()


def test_a_database_that_is_back_is_recovered_and_everybody_who_learns_is_told(world: RecoveryWorld) -> None:
    recovery_id = world.intend()
    world.databases.clickhouse.down = False
    world.clock.advance(2)
    world.pump()
    view = world.recoveries.get(recovery_id)
    assert (view.status, view.healed_by, view.duration_ms) == (RecoveryStatus.RECOVERED, "reconnect_database", 2000)
    assert [(each.number, each.outcome, each.detail) for each in view.attempts] == [
        (1, AttemptOutcome.SUCCEEDED, "ClickHouse 25.8 answers")
    ]
    assert world.databases.clickhouse.calls == ["close", "connect", "ping"]
    assert [(each.intent.recovery_id, each.status, each.duration_ms) for each in world.ended] == [
        (recovery_id, RecoveryStatus.RECOVERED, 2000.0)
    ]


def test_a_database_that_stays_away_is_tried_again_later_and_every_try_is_kept(world: RecoveryWorld) -> None:
    recovery_id = world.intend()
    world.pump()
    view = world.recoveries.get(recovery_id)
    assert view.status is RecoveryStatus.PENDING
    assert view.next_attempt_at
    assert view.next_attempt_at > world.clock.now()
    for _ in range(3):
        world.clock.advance(10)
        world.pump()
    world.databases.clickhouse.down = False
    world.clock.advance(10)
    world.pump()
    view = world.recoveries.get(recovery_id)
    assert [each.outcome.value for each in view.attempts] == ["failed", "failed", "failed", "failed", "succeeded"]
    assert view.attempts[0].detail == "DATABASE_CONNECTION_ERROR: ClickHouse does not answer"
    assert (view.status, view.duration_ms, len(world.ended)) == (RecoveryStatus.RECOVERED, 40_000, 1)


def test_what_nobody_can_heal_has_failed_after_its_time(world: RecoveryWorld) -> None:
    recovery_id = world.intend()
    for _ in range(8):
        world.pump()
        world.clock.advance(10)
    view = world.recoveries.get(recovery_id)
    assert view.status is RecoveryStatus.FAILED
    assert world.ended[0].status is RecoveryStatus.FAILED
    assert world.pump() == 0


def test_the_sweep_ends_what_no_worker_ever_took(world: RecoveryWorld) -> None:
    recovery_id = world.intend()
    world.lose_all_messages()
    world.clock.advance(61)
    assert [each.intent.recovery_id for each in world.recoveries.sweep().failed] == [recovery_id]
    assert world.recoveries.get(recovery_id).status is RecoveryStatus.FAILED
    assert len(world.ended) == 1


def test_a_lost_message_delays_and_loses_nothing(world: RecoveryWorld) -> None:
    recovery_id = world.intend()
    world.lose_all_messages()
    world.databases.clickhouse.down = False
    assert world.recoveries.sweep().rung == 0  # it may still be on its way
    world.clock.advance(RING_AGAIN_SECONDS + 1)
    assert world.recoveries.sweep().rung == 1
    assert world.recoveries.sweep().rung == 0  # rung a moment ago
    world.pump()
    assert world.recoveries.get(recovery_id).status is RecoveryStatus.RECOVERED


def test_faults_of_one_target_join_one_recovery(world: RecoveryWorld) -> None:
    recovery_id = world.intend()
    assert world.intend() == recovery_id
    assert world.intend(ORDERS, FAILOVER) != recovery_id
    assert world.recoveries.list_page(target=CLICKHOUSE).total == 1


def test_ids_that_two_processes_gave_for_one_outage_lead_to_one_recovery(world: RecoveryWorld) -> None:
    other = world.another_process("worker-2")
    first = world.recoveries.intend(fault(), RECONNECT)
    second = other.intend(fault(), RECONNECT)
    assert first
    assert second
    assert first != second
    world.recoveries.step()
    other.step()
    for given in (first, second):
        view = world.recoveries.get(given)
        assert (view.id, view.merged_ids) == (first, (second,))
    assert [each.id for each in world.recoveries.list_page(status=RecoveryStatus.SUPERSEDED).recoveries] == [second]
    world.clock.advance(REMEMBERED_SECONDS)
    assert other.intend(fault(), RECONNECT) == first  # it knows better now
    assert world.pump() == 1
    other.stop()


def test_a_recovery_that_ended_is_not_joined_any_more(world: RecoveryWorld) -> None:
    world.databases.clickhouse.down = False
    recovery_id = world.intend()
    world.pump()
    assert world.intend() == recovery_id  # a moment later: the same outage
    world.later(REMEMBERED_SECONDS + 1)
    assert world.intend() != recovery_id


def test_only_what_is_left_to_a_worker_opens_a_recovery(world: RecoveryWorld) -> None:
    for strategy in (Strategy.IMMEDIATE, Strategy.NONE):
        assert world.recoveries.intend(fault(), Decision(Action.WAIT, strategy, "time_may_heal")) is None
    world.recoveries.step()
    assert world.recoveries.list_page().total == 0


def test_a_database_that_the_poller_sees_down_opens_a_recovery_and_its_return_closes_it(world: RecoveryWorld) -> None:
    watch = world.recoveries._watch
    watch.step()
    world.recoveries.step()
    assert world.recoveries.list_page().total == 0
    world.snapshot.down.add(DatabaseName.CLICKHOUSE)
    for _ in range(3):
        watch.step()
    world.recoveries.step()
    [opened] = world.recoveries.list_page().recoveries
    assert (opened.target, opened.action, opened.vendor_code) == (CLICKHOUSE, "reconnect_database", "210")
    world.pump()
    world.clock.advance(7)
    world.snapshot.down.clear()
    watch.step()
    world.recoveries.step()
    view = world.recoveries.get(opened.id)
    assert (view.status, view.healed_by, view.duration_ms) == (RecoveryStatus.RECOVERED, "itself", 7000)
    world.clock.advance(60)
    world.pump()
    assert len(world.ended) == 1  # the worker that was rung for it finds it ended
    assert len(world.recoveries.get(opened.id).attempts) == 1


def test_a_breaker_that_opens_and_closes_opens_and_closes_a_recovery(world: RecoveryWorld) -> None:
    world.recoveries.breaker_changed(ORDERS, BreakerState.CLOSED, BreakerState.OPEN, world.clock.now())
    world.recoveries.step()
    [opened] = world.recoveries.list_page(target=ORDERS).recoveries
    assert opened.action == "failover_instance"
    world.clock.advance(3)
    world.recoveries.breaker_changed(ORDERS, BreakerState.OPEN, BreakerState.HALF_OPEN, world.clock.now())
    world.recoveries.breaker_changed(ORDERS, BreakerState.HALF_OPEN, BreakerState.CLOSED, world.clock.now())
    world.recoveries.step()
    assert world.recoveries.get(opened.id).healed_by == "itself"


def test_a_databases_breaker_is_the_pollers_to_report(world: RecoveryWorld) -> None:
    world.recoveries.breaker_changed(CLICKHOUSE, BreakerState.CLOSED, BreakerState.OPEN, world.clock.now())
    world.recoveries.step()
    assert world.recoveries.list_page().total == 0


def test_a_service_fails_over_to_the_instances_that_are_well(world: RecoveryWorld) -> None:
    world.discovery.add("orders", 9001, 9002)
    world.http.answers = [UpstreamUnreachable("refused", sent=False), json_answer({"status": "healthy"})]
    recovery_id = world.intend(ORDERS, FAILOVER)
    world.pump()
    assert world.recoveries.get(recovery_id).attempts[0].detail == "1 of its 2 instances are well"
    world.later(2)
    assert world.avoided == {ORDERS: frozenset({"http://127.0.0.1:9001"})}
    world.later(61)
    assert world.avoided == {}


def test_a_service_without_a_single_well_instance_stays_broken(world: RecoveryWorld) -> None:
    world.discovery.add("orders", 9001)
    world.http.answers = [json_answer({}, status=503)]
    recovery_id = world.intend(ORDERS, FAILOVER)
    world.pump()
    assert world.recoveries.get(recovery_id).status is RecoveryStatus.PENDING


def test_the_configuration_service_is_back_when_it_answers(world: RecoveryWorld) -> None:
    world.discovery.error = ConfigurationUnavailable("down")
    recovery_id = world.intend(CONFIGURATION_SERVICE, FAILOVER)
    world.pump()
    assert world.recoveries.get(recovery_id).status is RecoveryStatus.PENDING
    world.discovery.error = None
    world.clock.advance(10)
    world.pump()
    assert world.recoveries.get(recovery_id).status is RecoveryStatus.RECOVERED


def test_where_a_fault_happened_inside_a_flow_is_kept(world: RecoveryWorld) -> None:
    origin = FlowOrigin("f1", "run-1", "fetch")
    assert world.recoveries.get(world.intend(ORDERS, FAILOVER, origin=origin)).origin == origin


def test_an_unknown_id_names_nothing(world: RecoveryWorld) -> None:
    with pytest.raises(RecoveryNotFound):
        world.recoveries.get("nobody")
    world.recoveries.run("nobody")


def test_what_ended_long_ago_is_forgotten(world: RecoveryWorld) -> None:
    world.databases.clickhouse.down = False
    recovery_id = world.intend()
    world.pump()
    world.clock.advance(31 * 86_400)
    assert world.recoveries.sweep().forgotten == 1
    with pytest.raises(RecoveryNotFound):
        world.recoveries.get(recovery_id)
