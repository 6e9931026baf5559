"""A process that is killed while it moves events to ClickHouse: every event arrives exactly once."""

import os
import signal
import time
from collections.abc import Callable, Sequence

import pytest

from gateway.analytics.model import Event, RequestEvent
from tests.fakes.clickhouse_server import program
from tests.integration.test_analytics_outage import OutageBench, outage  # noqa: F401 - a fixture

pytestmark = pytest.mark.skipif(program() is None, reason="clickhouse-server is not installed")


def in_child(job: Callable[[], object]) -> int:
    """The pid of a child that does the job and then nothing more."""
    child = os.fork()
    if child == 0:
        try:
            job()
        finally:
            os._exit(0)
    return child


def inserting(outage: OutageBench) -> bool:  # noqa: F811
    """Whether ClickHouse writes requests now."""
    with outage.clickhouse.commands() as client:
        ((count,),) = client.execute("SELECT count() FROM system.processes WHERE startsWith(query, 'INSERT INTO gateway_requests')")
        return bool(count)


def test_killed_between_the_write_and_its_acknowledgement(outage: OutageBench) -> None:  # noqa: F811
    outage.backlog.write([RequestEvent(outage.clock.now(), "/x", "GET", 200, float(number)) for number in range(50)])

    def take(events: Sequence[Event]) -> None:
        outage.store.write(events)
        os.kill(os.getpid(), signal.SIGKILL)

    os.waitpid(in_child(lambda: outage.backlog.hand_over(take, 1000)), 0)
    assert (outage.stored("gateway_requests"), outage.waiting()) == ((50, 50), 50)
    outage.turn()
    assert (outage.stored("gateway_requests"), outage.waiting()) == ((50, 50), 0)


def test_killed_while_the_server_still_writes(outage: OutageBench) -> None:  # noqa: F811
    outage.send(1)
    with outage.clickhouse.commands() as client:
        client.execute("ALTER TABLE gateway_requests ADD COLUMN slow UInt8 DEFAULT sleep(2)")
    outage.backlog.write([RequestEvent(outage.clock.now(), "/x", "GET", 200, float(number)) for number in range(50)])
    child = in_child(lambda: outage.backlog.hand_over(lambda events: outage.store.write(events, again=True), 1000))
    while not inserting(outage):
        time.sleep(0.02)
    time.sleep(0.3)  # its rows are on their way by now
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while outage.waiting():
        outage.turn()
    assert outage.stored("gateway_requests") == (51, 51)
