"""ClickHouse comes and goes; every event arrives exactly once."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from config.databases import ClickHouseSettings, PostgresSettings
from gateway.analytics.clickhouse import ClickHouseEventStore
from gateway.analytics.model import AnalyticsQuery, FaultEvent, RequestEvent
from gateway.analytics.postgres import PostgresEventStore
from gateway.analytics.service import Analytics
from gateway.databases.clickhouse import ClickHouse
from gateway.databases.postgres import Postgres
from gateway.recovery.registry import Breakers
from gateway.spool import FileSpool
from tests.fakes.clickhouse_server import ClickHouseServer, program
from tests.fakes.clock import FakeClock

pytestmark = pytest.mark.skipif(program() is None, reason="clickhouse-server is not installed")


class OutageBench:
    """Analytics over a real ClickHouse and a real PostgreSQL."""

    def __init__(self, server: ClickHouseServer, postgres_url: str, directory: Path) -> None:
        self.server = server
        self.clock = FakeClock()
        self.postgres = Postgres(PostgresSettings.read({"DATABASE_URL": postgres_url}))
        self.clickhouse = ClickHouse(ClickHouseSettings.read({**server.environment, "CLICKHOUSE_TIMEOUT_SECONDS": "5"}))
        self.store = ClickHouseEventStore(self.clickhouse.commands, write_seconds=5.0)
        self.backlog = PostgresEventStore(self.postgres.transaction)
        spool = FileSpool(directory, "analytics", 10_000_000)
        self.analytics = Analytics([self.store, self.backlog], spool, Breakers(self.clock), self.clock, backlog=self.backlog)
        self.sent = 0

    def send(self, count: int) -> None:
        """Requests, and one fault, as one flush would find them."""
        for _ in range(count):
            self.analytics.record_request(RequestEvent(self.clock.now(), "/x", "GET", 200, 1.0))
        self.analytics.record_fault(FaultEvent(self.clock.now(), "TIMEOUT_ERROR", "infrastructure", "medium", "postgres", "v1-0"))
        self.sent += count
        self.turn()

    def turn(self) -> None:
        """One turn of the background loop, a while later."""
        self.analytics._step()
        self.clock.advance(40)

    def stored(self, table: str) -> tuple[int, int]:
        """Rows, and different events among them."""
        with self.clickhouse.commands() as client:
            ((rows, events),) = client.execute(f"SELECT count(), uniqExact(event_id) FROM {table}")
            return rows, events

    def waiting(self) -> int:
        query = AnalyticsQuery(self.clock.now() - timedelta(days=1), self.clock.now() + timedelta(days=1))
        return sum(row.count for row in self.backlog.count_requests(query, failed_only=False, limit=10))

    def close(self) -> None:
        self.clickhouse.close()
        self.postgres.close()
        self.server.stop()


@pytest.fixture
def outage(postgres_url: str, tmp_path: Path) -> Iterator[OutageBench]:
    server = ClickHouseServer(tmp_path / "clickhouse")
    server.start()
    bench = OutageBench(server, postgres_url, tmp_path / "spool")
    yield bench
    bench.close()


def test_events_of_an_outage_wait_in_postgres_and_arrive_once(outage: OutageBench) -> None:
    outage.send(10)
    outage.server.stop()
    for _ in range(3):
        outage.send(700)
    assert outage.waiting() == 2100
    outage.server.start()
    outage.send(5)
    for _ in range(5):
        outage.turn()
    assert outage.stored("gateway_requests") == (outage.sent, outage.sent)
    assert outage.stored("gateway_faults") == (5, 5)
    assert outage.waiting() == 0


def test_a_write_that_was_cut_off_is_not_repeated(outage: OutageBench) -> None:
    outage.send(3)
    outage.server.freeze()
    outage.send(50)  # whether ClickHouse got these cannot be known
    assert outage.waiting() == 50
    outage.server.thaw()
    for _ in range(4):
        outage.turn()
    assert outage.stored("gateway_requests") == (53, 53)
    assert outage.waiting() == 0


def test_what_the_server_kept_of_a_lost_answer_is_found_again(outage: OutageBench) -> None:
    events = [RequestEvent(outage.clock.now(), "/x", "GET", 200, float(number)) for number in range(20)]
    outage.store.write(events[:12])
    outage.backlog.write(events)
    outage.turn()
    assert outage.stored("gateway_requests") == (20, 20)
    assert outage.waiting() == 0


def test_configuring_clickhouse_later_moves_what_postgres_holds(outage: OutageBench) -> None:
    days = [outage.clock.now() - timedelta(days=day) for day in range(20)]
    outage.backlog.write([RequestEvent(at, "/x", "GET", 200, 1.0) for at in days for _ in range(150)])
    for _ in range(5):
        outage.turn()
    assert outage.stored("gateway_requests") == (3000, 3000)
    query = AnalyticsQuery(days[-1] - timedelta(hours=1), days[0] + timedelta(hours=1), bucket_seconds=86_400)
    report = outage.analytics.requests(query)
    assert (len(report.rows), report.total, report.served_by) == (20, 3000, "clickhouse")


def test_a_table_of_an_older_version_gets_its_new_columns(outage: OutageBench) -> None:
    with outage.clickhouse.commands() as client:
        client.execute(
            "CREATE TABLE gateway_requests (event_id UUID, at DateTime, at_us Int64, route String, method String, status Int64, "
            "duration_ms Float64, bytes_sent Int64) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMMDD(at) ORDER BY (at_us, event_id)"
        )
    outage.send(4)
    assert outage.stored("gateway_requests") == (4, 4)
