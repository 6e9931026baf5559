"""The ledger's pure parts: legal changes of state, the memory of a process, lines of the spool, which flow heals what."""

from datetime import timedelta

import pytest

from gateway.recovery.ledger.flows import RecoveryFlows, flows_of, parameters_of
from gateway.recovery.ledger.intake import QUEUE_LIMIT, REMEMBERED_SECONDS, Intake
from gateway.recovery.ledger.model import LEGAL, OPEN, Ended, Healing, Intent, Opened, RecoveryFlow, RecoveryStatus, sources_of, target_of
from gateway.recovery.ledger.records import find_record, to_line
from gateway.recovery.ledger.service import recovery_event
from gateway.recovery.model import Action, FaultType, FlowOrigin
from tests.fakes.clock import FakeClock
from tests.fakes.recoveries import CLICKHOUSE, ORDERS, fault

CLOCK = FakeClock()
ORIGIN = FlowOrigin("f1", "run-1", "fetch")


def intent(target: str = CLICKHOUSE, **more: object) -> Intent:
    return Intent(
        target, "DATABASE_CONNECTION_ERROR", "infrastructure", "high", "tests", "v1-0", Action.RECONNECT_DATABASE, CLOCK.now(), **more
    )  # type: ignore[arg-type]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def intake(clock: FakeClock) -> Intake:
    return Intake(clock)


def test_what_ended_never_changes() -> None:
    assert set(OPEN) == {RecoveryStatus.PENDING, RecoveryStatus.RUNNING}
    for status in (RecoveryStatus.RECOVERED, RecoveryStatus.FAILED, RecoveryStatus.SUPERSEDED):
        assert status.is_final
        assert status not in LEGAL
    assert RecoveryStatus.PENDING not in sources_of(RecoveryStatus.PENDING)
    assert sources_of(RecoveryStatus.SUPERSEDED) == (RecoveryStatus.PENDING,)


def test_a_fault_is_recovered_at_its_target_its_flow_or_its_type() -> None:
    assert target_of(fault(ORDERS, origin=ORIGIN)) == ORDERS
    assert target_of(fault(None, origin=ORIGIN)) == "flow:f1"
    assert target_of(fault(None, FaultType.TIMEOUT)) == "fault:TIMEOUT_ERROR"


@pytest.mark.parametrize("record", [intent(), intent(origin=ORIGIN, flow_id="heal", vendor_code="210"), Healing(ORDERS, CLOCK.now())])
def test_a_record_survives_the_spool(record: Intent | Healing) -> None:
    assert find_record(to_line(record)) == record


@pytest.mark.parametrize("line", [{}, {"kind": "intent"}, {"kind": "healing", "target": "x", "healed_at": 5}, {"kind": "intent", "x": 1}])
def test_a_line_that_says_nothing_is_passed_over(line: dict[str, object]) -> None:
    assert find_record(line) is None


def test_faults_of_a_target_join_until_its_recovery_ended(intake: Intake, clock: FakeClock) -> None:
    first = intent()
    assert intake.open(first) == (first.recovery_id, True)
    assert intake.open(intent()) == (first.recovery_id, False)
    intake.written(intake.take(10))
    intake.learn([Opened(first.recovery_id, CLICKHOUSE, first.broken_since, first.action)])
    clock.advance(REMEMBERED_SECONDS)
    intake.learn([Opened(first.recovery_id, CLICKHOUSE, first.broken_since, first.action)])
    assert intake.open(intent()) == (first.recovery_id, False)
    intake.learn([])
    second = intent()
    assert intake.open(second) == (second.recovery_id, True)


def test_what_was_not_written_yet_is_not_taken_for_ended(intake: Intake, clock: FakeClock) -> None:
    first = intent()
    intake.open(first)
    clock.advance(REMEMBERED_SECONDS + 1)
    intake.learn([])
    assert intake.open(intent()) == (first.recovery_id, False)


def test_the_recovery_of_another_process_is_joined(intake: Intake) -> None:
    intake.learn([Opened("theirs", CLICKHOUSE, CLOCK.now(), Action.RETRY)])
    assert intake.open(intent()) == ("theirs", False)
    assert intake.waiting() == 0


def test_a_target_is_healed_once_and_only_by_what_was_seen_after_it_broke(intake: Intake) -> None:
    intake.open(intent())
    assert not intake.heal(CLICKHOUSE, CLOCK.now() - timedelta(seconds=1))
    assert not intake.heal(ORDERS, CLOCK.now())
    assert intake.heal(CLICKHOUSE, CLOCK.now())
    assert not intake.heal(CLICKHOUSE, CLOCK.now())


def test_an_old_look_is_no_news(intake: Intake) -> None:
    intake.open(intent())
    assert not intake.may_open(CLICKHOUSE, CLOCK.now())
    intake.heal(CLICKHOUSE, CLOCK.now())
    assert not intake.may_open(CLICKHOUSE, CLOCK.now())
    assert intake.may_open(CLICKHOUSE, CLOCK.now() + timedelta(seconds=1))


def test_the_queue_is_bounded_and_keeps_its_order(intake: Intake) -> None:
    for number in range(QUEUE_LIMIT + 5):
        intake.open(intent(f"service:s{number}"))
    assert (intake.waiting(), intake.take_dropped(), intake.take_dropped()) == (QUEUE_LIMIT, 5, 0)
    taken = intake.take(3)
    intake.put_back(taken)
    assert intake.take(3) == taken


def test_tags_make_a_flow_the_recovery_flow_of_faults_and_targets() -> None:
    tags = ["recovery:UPSTREAM_ERROR", "recovery:TIMEOUT_ERROR", "recovery:NONSENSE", "service:orders", "else"]
    assert flows_of({"id": "heal", "tags": tags}) == [
        RecoveryFlow("heal", "UPSTREAM_ERROR", ORDERS),
        RecoveryFlow("heal", "TIMEOUT_ERROR", ORDERS),
    ]
    for tags_of_others in (None, [], "recovery:UPSTREAM_ERROR", [5]):
        assert flows_of({"id": "other", "tags": tags_of_others}) == []


def test_the_most_specific_flow_wins_and_among_equals_the_first() -> None:
    flows = RecoveryFlows()
    flows.learn([RecoveryFlow("b", "X"), RecoveryFlow("a", "X"), RecoveryFlow("z", "X", ORDERS), RecoveryFlow("y", "Y", ORDERS)])
    assert flows.find("X", ORDERS) == RecoveryFlow("z", "X", ORDERS)
    assert flows.find("X", CLICKHOUSE) == RecoveryFlow("a", "X")
    assert flows.find("Y", CLICKHOUSE) is None


def test_only_what_is_known_of_a_fault_is_a_parameter() -> None:
    known = parameters_of(intent(origin=FlowOrigin("f1", "run-1")))
    assert (known["targetKind"], known["targetName"], known["flowId"], known["executionId"]) == ("database", "clickhouse", "f1", "run-1")
    assert not {"nodeId", "vendorCode", "requestId"} & known.keys()


def test_analytics_are_told_how_a_recovery_ended() -> None:
    broken = intent()
    event = recovery_event(Ended(broken, RecoveryStatus.RECOVERED, broken.broken_since + timedelta(seconds=3), "itself"))
    assert (event.recovery_id, event.outcome, event.action, event.duration_ms) == (broken.recovery_id, "recovered", "itself", 3000.0)
