"""The outbox over a real PostgreSQL: nothing is lost, nothing is rung before its commit."""

import os
from collections.abc import Iterator

import pytest

from config.databases import PostgresSettings
from gateway.databases.postgres import Postgres
from gateway.observability.context import request_context
from gateway.outbox.errors import BrokerUnreachable
from gateway.outbox.health import WorkerHealth
from gateway.outbox.model import Message, Queue, TaskName
from gateway.outbox.postgres import OutboxStore
from gateway.outbox.relay import BACKOFF_SECONDS, BATCH, SEND_SECONDS, Relay
from gateway.outbox.service import Outbox
from tests.fakes.clock import FakeClock
from tests.fakes.logs import own_logs
from tests.fakes.sender import FakeSender


class SlowSender(FakeSender):
    """Takes `seconds` for each message."""

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        super().__init__()
        self._clock = clock
        self.seconds = seconds

    def send(self, message: Message) -> None:
        self._clock.advance(self.seconds)
        super().send(message)


@pytest.fixture
def outbox_postgres(postgres_url: str) -> Iterator[Postgres]:
    postgres = Postgres(PostgresSettings.read({"DATABASE_URL": postgres_url}))
    yield postgres
    postgres.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def sender() -> FakeSender:
    return FakeSender()


@pytest.fixture
def relay(outbox_postgres: Postgres, sender: FakeSender, clock: FakeClock) -> Relay:
    return Relay(outbox_postgres, sender, clock)


@pytest.fixture
def outbox(outbox_postgres: Postgres, relay: Relay, clock: FakeClock) -> Outbox:
    return Outbox(outbox_postgres, relay, clock)


def test_a_message_is_sent_once_with_the_request_id_it_was_rung_under(outbox: Outbox, relay: Relay, sender: FakeSender) -> None:
    with request_context("caller-1"):
        outbox.ring(TaskName.REPORT, execution_id="e1")
    relay.drain()
    relay.drain()
    assert [(each.task, each.arguments, each.request_id) for each in sender.sent] == [
        ("executions.report", {"execution_id": "e1"}, "caller-1")
    ]


def test_what_was_rolled_back_is_never_rung(outbox: Outbox, relay: Relay, sender: FakeSender) -> None:
    def ring_and_fail() -> None:
        with outbox.transaction() as work:
            work.outbox.ring(TaskName.REPORT, execution_id="e1")
            raise RuntimeError("changed my mind")

    with pytest.raises(RuntimeError, match="changed my mind"):
        ring_and_fail()
    relay.drain()
    assert sender.sent == []


def test_a_timer_is_a_row_that_waits(outbox: Outbox, relay: Relay, sender: FakeSender, clock: FakeClock) -> None:
    with outbox.transaction() as work:
        clock_now = clock.now()
        clock.advance(10)
        work.outbox.ring(TaskName.REPORT, due_at=clock.now(), execution_id="e1")
        clock.advance(-10)
        assert clock.now() == clock_now
    drained = relay.drain()
    assert sender.sent == []
    assert drained.next_due_at is not None
    clock.advance(10)
    relay.drain()
    assert len(sender.sent) == 1


def test_a_broker_that_fails_in_the_middle_keeps_the_rest(outbox: Outbox, relay: Relay, sender: FakeSender) -> None:
    with outbox.transaction() as work:
        work.outbox.ring_each(TaskName.REPORT, [{"execution_id": str(number)} for number in range(5)])
    sender.room_for = 2
    with pytest.raises(BrokerUnreachable):
        relay.drain()
    assert outbox.backlog().pending == 3
    sender.room_for = None
    relay.drain()
    assert sorted(each.arguments["execution_id"] for each in sender.sent) == ["0", "1", "2", "3", "4"]


def test_a_slow_broker_gets_small_batches(outbox_postgres: Postgres, outbox: Outbox, clock: FakeClock) -> None:
    """PostgreSQL ends a transaction in which nothing was said for a minute: what was sent would never be removed, and sent for ever."""
    sender = SlowSender(clock, seconds=1.0)
    relay = Relay(outbox_postgres, sender, clock)
    with outbox.transaction() as work:
        work.outbox.ring_each(TaskName.REPORT, [{"execution_id": str(number)} for number in range(BATCH // 2)])
    began = clock.monotonic()
    drained = relay.drain()
    assert clock.monotonic() - began <= SEND_SECONDS + sender.seconds
    assert drained.sent == len(sender.sent) == BATCH // 2 - outbox.backlog().pending
    assert drained.more
    while relay.drain().more:
        pass
    assert sorted(int(each.arguments["execution_id"]) for each in sender.sent) == list(range(BATCH // 2))


def test_a_broker_that_is_down_is_asked_seldom_and_logged_when_that_changes(
    outbox: Outbox, relay: Relay, sender: FakeSender, clock: FakeClock
) -> None:
    outbox.ring(TaskName.REPORT, execution_id="e1")
    sender.room_for = 0
    with own_logs() as logs:
        for _ in range(200):  # 200 commits wake the relay
            relay.step()
        assert sender.tries == 1
        for _ in range(10):
            clock.advance(max(BACKOFF_SECONDS))
            assert relay.step() <= 5
        sender.room_for = None
        clock.advance(max(BACKOFF_SECONDS))
        relay.step()
    assert [each["event"] for each in logs] == ["outbox_relay_failed", "outbox_relay_recovered"]
    assert len(sender.sent) == 1


def test_a_round_that_sends_nothing_does_not_call_the_broker_recovered(
    outbox_postgres: Postgres, outbox: Outbox, relay: Relay, sender: FakeSender, clock: FakeClock
) -> None:
    outbox.ring(TaskName.REPORT, execution_id="e1")
    sender.room_for = 0
    with own_logs() as logs:
        relay.step()
        with outbox_postgres.transaction() as connection:
            OutboxStore(connection, clock).claim_due(BATCH)  # another relay holds it
            clock.advance(max(BACKOFF_SECONDS))
            relay.step()
        relay.step()
        sender.room_for = None
        clock.advance(max(BACKOFF_SECONDS))
        relay.step()
    assert [each["event"] for each in logs] == ["outbox_relay_failed", "outbox_relay_recovered"]


def test_two_relays_share_the_work(outbox_postgres: Postgres, outbox: Outbox, relay: Relay, sender: FakeSender, clock: FakeClock) -> None:
    with outbox.transaction() as work:
        work.outbox.ring_each(TaskName.REPORT, [{"execution_id": str(number)} for number in range(BATCH + 20)])
    with outbox_postgres.transaction() as connection:  # another relay holds its batch
        held = OutboxStore(connection, clock).claim_due(BATCH)
        relay.drain()
    assert len(held) == BATCH
    assert len(sender.sent) == 20


def test_a_message_of_another_version_does_not_hold_up_the_others(
    outbox: Outbox, relay: Relay, sender: FakeSender, clock: FakeClock
) -> None:
    outbox.ring(TaskName.UPLOAD_FLOW, flow_id="f1")
    outbox.ring(TaskName.REPORT, execution_id="e1")
    sender.unroutable = {TaskName.UPLOAD_FLOW.value}
    relay.drain()
    assert [each.task for each in sender.sent] == [TaskName.REPORT]
    sender.unroutable = set()
    clock.advance(120)
    relay.drain()
    assert len(sender.sent) == 2


def test_the_relay_runs_again_in_a_forked_child(outbox: Outbox, relay: Relay) -> None:
    relay.start()
    try:
        child = os.fork()
        if child == 0:
            relay.wake()
            os._exit(0 if relay._loop is not None and relay._loop._thread is not None and relay._loop._thread.is_alive() else 1)
        assert os.waitpid(child, 0)[1] == 0
    finally:
        relay.stop()


def test_worker_health_shows_what_workers_wrote(outbox_postgres: Postgres, clock: FakeClock) -> None:
    worker, web = WorkerHealth(outbox_postgres, clock), WorkerHealth(outbox_postgres, clock)
    assert web.snapshot()["status"] == "unknown"
    for queue in Queue:
        worker.consumed("w1", queue.value)
    web.refresh()
    assert web.snapshot()["status"] == "healthy"
    clock.advance(19)
    worker.consumed("w1", "executions")
    clock.advance(19)
    web.refresh()
    assert web.snapshot()["status"] == "unhealthy"
    assert web.snapshot()["queues"]["executions"]["ageSeconds"] == 19.0
