"""The ledger over a real PostgreSQL: opened once per target, carried out, tried again, ended once."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.configuration.errors import ConfigurationUnavailable
from gateway.databases.errors import DatabaseUnreachable
from gateway.databases.model import DatabaseName, Ping
from gateway.outbound.errors import UpstreamUnreachable
from gateway.recovery.breaker_model import BreakerState, Cause
from gateway.recovery.ledger.errors import RecoveryNotFound
from gateway.recovery.ledger.intake import REMEMBERED_SECONDS
from gateway.recovery.ledger.model import AttemptOutcome, RecoveryStatus
from gateway.recovery.ledger.sweeping import RING_AGAIN_SECONDS
from gateway.recovery.model import Action, Decision, Fault, FaultType, FlowOrigin, Strategy
from gateway.recovery.noticed import too_slow
from gateway.recovery.policy import ALWAYS_ALLOWED, RecoveryPolicy
from gateway.targets import CONFIGURATION_SERVICE
from tests.fakes.recoveries import CLICKHOUSE, FAILOVER, ORDERS, RECONNECT, RecoveryWorld, changed, fault
from tests.fakes.upstream import json_answer


@pytest.fixture
def world(postgres_url: str, tmp_path: Path) -> Iterator[RecoveryWorld]:
    world = RecoveryWorld(postgres_url, tmp_path / "spool", RECOVERY_MAX_SECONDS="60")
    yield world
    world.close()


def test_a_database_that_is_back_is_recovered_and_everybody_who_learns_is_told(world: RecoveryWorld) -> None:
    world.policy = RecoveryPolicy(allowed=frozenset({Action.RECONNECT_DATABASE}))
    world.recoveries = world.another_process()
    recovery_id = world.intend()
    world.pump()
    world.databases.clickhouse.down = False
    world.clock.advance(12)
    world.pump()
    view = world.recoveries.get(recovery_id)
    assert (view.status, view.healed_by, view.duration_ms) == (RecoveryStatus.RECOVERED, "reconnect_database", 12_000)
    assert [(each.number, each.outcome, each.detail) for each in view.attempts] == [
        (1, AttemptOutcome.FAILED, "DATABASE_CONNECTION_ERROR: ClickHouse does not answer"),
        (2, AttemptOutcome.SUCCEEDED, "ClickHouse 25.8 answers"),
    ]
    assert world.databases.clickhouse.calls == ["ping", "close", "connect", "close", "connect", "ping"]
    assert [(each.intent.recovery_id, each.status, each.duration_ms, each.failed) for each in world.ended] == [
        (recovery_id, RecoveryStatus.RECOVERED, 12_000.0, (Action.RECONNECT_DATABASE,))
    ]


def test_a_target_that_is_well_when_its_recovery_begins_healed_itself(world: RecoveryWorld) -> None:
    world.databases.clickhouse.down = False
    recovery_id = world.intend()
    world.clock.advance(2)
    world.pump()
    view = world.recoveries.get(recovery_id)
    assert (view.status, view.healed_by, view.duration_ms) == (RecoveryStatus.RECOVERED, "itself", 2000)
    assert [(each.action, each.outcome, each.detail) for each in view.attempts] == [
        ("reconnect_database", AttemptOutcome.SKIPPED, "ClickHouse 25.8 answers")
    ]
    assert world.databases.clickhouse.calls == ["ping"]  # nothing was closed
    assert [(each.healed_by, each.failed) for each in world.ended] == [("itself", ())]


def test_what_did_not_heal_is_followed_by_what_else_may_be_done(world: RecoveryWorld) -> None:
    recovery_id = world.intend()
    for _ in range(4):
        world.pump()
        world.clock.advance(12)
    world.databases.clickhouse.down = False
    world.pump()
    view = world.recoveries.get(recovery_id)
    assert [each.action for each in view.attempts] == ["reconnect_database", "retry"] * 2 + ["reconnect_database"]
    assert (view.action, view.healed_by) == ("reconnect_database", "reconnect_database")
    assert world.ended[0].failed == (Action.RECONNECT_DATABASE, Action.RETRY) * 2


def test_a_strategy_that_did_not_heal_a_service_is_followed_by_another(world: RecoveryWorld) -> None:
    world.discovery.add("orders", 9001)
    world.http.answers = [json_answer({}, status=503), json_answer({}, status=503), json_answer({})]
    recovery_id = world.intend(ORDERS, FAILOVER)
    for _ in range(3):
        world.pump()
        world.clock.advance(12)
    view = world.recoveries.get(recovery_id)
    assert [each.action for each in view.attempts] == ["failover_instance", "refresh_discovery", "failover_instance"]
    assert (view.healed_by, world.ended[0].failed) == ("failover_instance", (Action.FAILOVER_INSTANCE, Action.REFRESH_DISCOVERY))


def test_a_capability_is_back_when_a_service_of_any_name_registers_it(world: RecoveryWorld) -> None:
    missing = Decision(Action.REFRESH_DISCOVERY, Strategy.DELAYED, "left_to_a_worker", retry_after_ms=5000)
    recovery_id = world.intend("capability:moving_average", missing, kind=FaultType.SERVICE_DISCOVERY)
    world.pump()
    world.discovery.add("statistics", 9001, capabilities=("moving_average",))
    world.clock.advance(12)
    world.pump()
    view = world.recoveries.get(recovery_id)
    assert [(each.action, each.outcome) for each in view.attempts] == [
        ("refresh_discovery", AttemptOutcome.FAILED),
        ("refresh_discovery", AttemptOutcome.SUCCEEDED),
    ]
    assert (view.status, view.healed_by) == (RecoveryStatus.RECOVERED, "refresh_discovery")


def test_an_alternative_that_is_explored_is_what_the_recovery_begins_with(world: RecoveryWorld) -> None:
    world.explored = Action.RETRY
    recovery_id = world.intend()
    assert world.recoveries.find_action(fault()) is Action.RETRY
    world.pump()
    assert [each.action for each in world.recoveries.get(recovery_id).attempts] == ["retry"]


def refused(target: str = CLICKHOUSE) -> Fault:
    """A call that was not made: the breaker of its target is open."""
    return replace(fault(target), refused=True, cause=replace(fault(target), fingerprint="v1-01", vendor_code="210"))


def test_a_refused_call_alone_opens_no_recovery_and_joins_one_that_is_open(world: RecoveryWorld) -> None:
    assert not world.recoveries.takes(refused())
    assert world.recoveries.intend(refused(), RECONNECT) is None
    assert world.recoveries.consider(refused()) is None
    opened = world.recoveries.intend(fault(), RECONNECT)
    assert world.recoveries.intend(refused(), RECONNECT) == opened


def test_a_refused_call_of_what_was_seen_down_opens_a_recovery_of_what_opened_the_breaker(world: RecoveryWorld) -> None:
    world.snapshot.down.add(DatabaseName.CLICKHOUSE)
    recovery_id = world.recoveries.consider(refused())
    assert recovery_id
    world.recoveries.step()
    view = world.recoveries.get(recovery_id)
    assert (view.fingerprint, view.vendor_code) == ("v1-01", "210")


def test_a_refused_call_of_what_was_well_again_opens_nothing(world: RecoveryWorld) -> None:
    world.recoveries.intend(fault(), RECONNECT)
    world.recoveries.step()
    world.clock.advance(1)
    world.recoveries.healed(CLICKHOUSE)  # the poller saw it; the breaker is open for a moment more
    assert world.recoveries.consider(refused()) is None
    world.recoveries.step()
    assert world.recoveries.list_page(target=CLICKHOUSE).total == 1


def test_an_opening_that_another_process_told_of_was_reported_there(world: RecoveryWorld) -> None:
    world.recoveries.breaker_changed(changed(BreakerState.CLOSED, BreakerState.OPEN, world.clock.now(), cause=Cause.SHARED))
    world.recoveries.step()
    assert world.recoveries.list_page().total == 0


def test_a_breakers_opening_is_recovered_as_the_fault_that_opened_it(world: RecoveryWorld) -> None:
    blamed = replace(fault(ORDERS, FaultType.TIMEOUT), fingerprint="v1-02", detail="orders is slow")
    world.recoveries.breaker_changed(changed(BreakerState.CLOSED, BreakerState.OPEN, world.clock.now(), blamed=blamed))
    world.recoveries.step()
    [opened] = world.recoveries.list_page(target=ORDERS).recoveries
    assert (opened.fault_type, opened.fingerprint, opened.detail, opened.action) == (
        *("TIMEOUT_ERROR", "v1-02", "orders is slow"),
        "failover_instance",
    )


def test_what_leaving_workers_held_is_taken_over_at_once(world: RecoveryWorld) -> None:
    recovery_id = world.intend()
    world.lose_all_messages()
    leaving = world.another_process("host:77:1")
    ping = world.databases.clickhouse.ping

    def leave(_seconds: float) -> Ping:
        world.databases.clickhouse.ping = ping  # type: ignore[method-assign]
        assert world.recoveries.hand_back("host:7:") == 0  # another worker's children
        assert world.recoveries.hand_back("host:77:") == 1
        world.databases.clickhouse.down = False
        world.pump()
        raise DatabaseUnreachable("clickhouse", "too late")

    world.databases.clickhouse.ping = leave  # type: ignore[method-assign]
    leaving.run(recovery_id)
    view = world.recoveries.get(recovery_id)
    assert [(each.worker, each.outcome.value) for each in view.attempts] == [("host:77:1", "lost"), ("worker-1", "skipped")]
    assert (view.status, len(world.ended)) == (RecoveryStatus.RECOVERED, 1)
    assert world.recoveries.hand_back("host:77:") == 0


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
    assert [(each.action, each.outcome.value, each.detail) for each in world.recoveries.get(opened.id).attempts[1:]] == [
        ("retry", "skipped", "Not needed: the target was well by itself before this was begun")
    ]
    assert [each.detail for each in world.noticed] == ["It cannot be reached"]  # once for the outage


def test_an_outage_that_may_not_be_recovered_from_is_learned_from_once(world: RecoveryWorld) -> None:
    world.policy = RecoveryPolicy(allowed=ALWAYS_ALLOWED)
    world.recoveries = world.another_process()
    watch = world.recoveries._watch
    world.snapshot.down = {DatabaseName.CLICKHOUSE}
    for _ in range(3):
        watch.step()
    assert len(world.noticed) == 1
    world.snapshot.down = set()
    watch.step()
    world.snapshot.down = {DatabaseName.CLICKHOUSE}
    watch.step()
    assert len(world.noticed) == 2


def test_an_outage_that_copies_hid_from_all_clients_is_learned_from_once(world: RecoveryWorld) -> None:
    lost = replace(fault(CONFIGURATION_SERVICE, FaultType.UPSTREAM), fingerprint="v1-03")
    opened = replace(changed(BreakerState.CLOSED, BreakerState.OPEN, world.clock.now(), blamed=lost), target=CONFIGURATION_SERVICE)
    world.recoveries.breaker_changed(opened)
    world.recoveries.breaker_changed(replace(opened, old=BreakerState.HALF_OPEN))  # a probe failed: the same outage
    assert [each.fingerprint for each in world.noticed] == ["v1-03"]


def test_a_service_whose_calls_failed_was_learned_from_where_they_failed(world: RecoveryWorld) -> None:
    world.recoveries.breaker_changed(changed(BreakerState.CLOSED, BreakerState.OPEN, world.clock.now(), blamed=fault(ORDERS)))
    assert world.noticed == []


@pytest.mark.parametrize(("target", "recoveries"), [(ORDERS, 1), (CLICKHOUSE, 0)])
def test_slowness_that_no_client_met_as_a_fault_is_learned_from(world: RecoveryWorld, target: str, recoveries: int) -> None:
    opened = changed(BreakerState.CLOSED, BreakerState.OPEN, world.clock.now(), blamed=too_slow(target))
    world.recoveries.breaker_changed(replace(opened, target=target))
    world.recoveries.step()
    assert [(each.detail, each.type) for each in world.noticed] == [("It answers too slowly", FaultType.TIMEOUT)]
    found = world.recoveries.list_page(target=target).recoveries
    assert [(each.fault_type, each.detail, each.action) for each in found] == recoveries * [
        ("TIMEOUT_ERROR", "It answers too slowly", "failover_instance")
    ]


def test_a_breaker_that_opens_and_closes_opens_and_closes_a_recovery(world: RecoveryWorld) -> None:
    world.recoveries.breaker_changed(changed(BreakerState.CLOSED, BreakerState.OPEN, world.clock.now()))
    world.recoveries.step()
    [opened] = world.recoveries.list_page(target=ORDERS).recoveries
    assert opened.action == "failover_instance"
    world.clock.advance(3)
    world.recoveries.breaker_changed(changed(BreakerState.OPEN, BreakerState.HALF_OPEN, world.clock.now()))
    world.recoveries.breaker_changed(changed(BreakerState.HALF_OPEN, BreakerState.CLOSED, world.clock.now()))
    world.recoveries.step()
    assert world.recoveries.get(opened.id).healed_by == "itself"


def test_an_operators_reset_proves_nobody_well(world: RecoveryWorld) -> None:
    opened = world.intend(ORDERS, FAILOVER)
    reset = changed(BreakerState.HALF_OPEN, BreakerState.CLOSED, world.clock.now(), cause=Cause.OPERATOR)
    world.recoveries.breaker_changed(reset)
    world.recoveries.step()
    assert world.recoveries.get(opened).status is RecoveryStatus.PENDING


def test_a_databases_breaker_is_the_pollers_to_report(world: RecoveryWorld) -> None:
    world.recoveries.breaker_changed(replace(changed(BreakerState.CLOSED, BreakerState.OPEN, world.clock.now()), target=CLICKHOUSE))
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


def test_a_worker_that_handed_its_recovery_back_leaves_its_attempt_alone(world: RecoveryWorld) -> None:
    recovery_id = world.intend()
    world.lose_all_messages()
    ping = world.databases.clickhouse.ping

    def leave(_seconds: float) -> Ping:
        world.databases.clickhouse.ping = ping  # type: ignore[method-assign]
        assert world.recoveries.hand_back("host:77:") == 1
        raise DatabaseUnreachable("clickhouse", "too late")

    world.databases.clickhouse.ping = leave  # type: ignore[method-assign]
    world.another_process("host:77:1").run(recovery_id)
    assert [each.outcome for each in world.recoveries.get(recovery_id).attempts] == [AttemptOutcome.RUNNING]
    world.pump()
    assert [each.outcome for each in world.recoveries.get(recovery_id).attempts] == [AttemptOutcome.LOST, AttemptOutcome.FAILED]
