"""Analytics: nothing on the request path, the first store that answers, the local spool when none does, and honest counts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from gateway.analytics.model import AnalyticsQuery, Dimension, FaultEvent, RecoveryEvent, RequestEvent
from gateway.analytics.rows import from_line, to_line
from gateway.analytics.service import MAX_ROWS, Analytics
from gateway.databases.errors import DatabaseUnreachable
from gateway.errors import InvalidInput, Unavailable
from gateway.recovery.breaker import BreakerPolicy, BreakerState
from gateway.recovery.registry import Breakers
from gateway.spool import FileSpool
from tests.fakes.clock import FakeClock
from tests.fakes.event_store import InMemoryEventStore

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = AnalyticsQuery(START, START + timedelta(hours=1))


class Bench:
    """Analytics with two stores in memory, and a clock that stands still."""

    def __init__(self, directory: Path, **settings: int) -> None:
        self.clock = FakeClock(START)
        self.first, self.second = InMemoryEventStore("clickhouse"), InMemoryEventStore("postgres")
        self.breakers = Breakers(self.clock, BreakerPolicy(minimum_calls=3, open_seconds=5, jitter=0))
        spool = FileSpool(directory, "analytics", settings.pop("spool_bytes", 10_000_000))
        self.analytics = Analytics([self.first, self.second], spool, self.breakers, self.clock, **settings)

    def request(self, status: int = 200, **fields: str) -> RequestEvent:
        event = RequestEvent(self.clock.now(), "/x", "GET", status, 5.0, **fields)
        self.analytics.record_request(event)
        return event


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_recording_touches_no_store_until_the_flush(bench: Bench) -> None:
    event = bench.request()
    assert bench.first.attempts == 0
    assert bench.analytics.snapshot().buffered == 1
    bench.analytics.flush()
    assert list(bench.first.events) == [event.event_id]
    assert bench.analytics.snapshot().written == 1


def test_the_second_store_takes_over_and_answers_marked_so(bench: Bench) -> None:
    bench.first.down = True
    bench.request()
    bench.analytics.flush()
    report = bench.analytics.requests(HOUR)
    assert (report.total, report.served_by) == (1, "postgres")
    assert bench.analytics.snapshot().writing_to == "postgres"


def test_a_store_that_is_better_not_waited_for_is_asked_last(bench: Bench) -> None:
    bench.request()
    bench.analytics.flush()
    doubted = Analytics(
        [bench.first, bench.second],
        FileSpool(Path("unused"), "x", 0),
        bench.breakers,
        bench.clock,
        doubts=lambda name: name == "clickhouse",
    )
    attempts = bench.first.attempts
    assert (doubted.requests(HOUR).served_by, bench.first.attempts) == ("postgres", attempts)
    bench.second.down = True
    assert doubted.requests(HOUR).served_by == "clickhouse"


def test_a_store_that_keeps_failing_is_not_asked_for_a_while(bench: Bench) -> None:
    bench.first.down = True
    for _ in range(10):
        bench.request()
        bench.analytics.flush()
    assert bench.first.attempts == 3
    bench.first.down = False
    bench.clock.advance(6)
    bench.request()
    bench.analytics.flush()
    assert bench.first.attempts == 4


def test_with_both_down_events_wait_in_the_file_and_arrive_exactly_once(bench: Bench) -> None:
    bench.first.down = bench.second.down = True
    sent = [bench.request().event_id for _ in range(2500)]
    bench.analytics.flush()
    assert bench.analytics.snapshot().writing_to == "local-spool"
    assert bench.analytics.snapshot().spooled_bytes > 0
    bench.second.down = False
    bench.clock.advance(6)
    bench.request()
    bench.analytics.flush()
    assert set(sent) <= set(bench.second.events)
    assert len(bench.second.events) == 2501
    assert bench.analytics.snapshot().spooled_bytes == 0
    assert bench.analytics.snapshot().dropped == 0


def test_a_spool_that_another_process_holds_is_no_sign_of_a_store_that_is_well(bench: Bench, tmp_path: Path) -> None:
    bench.request()
    bench.analytics.flush()
    others = FileSpool(tmp_path, "analytics", 10_000_000)
    others.append([to_line(RequestEvent(START, "/x", "GET", 200, 5.0))])
    breaker = bench.breakers.of("database:clickhouse")
    for _ in range(2):
        breaker.record(breaker.permit(), success=False, duration_seconds=0.1)
    assert breaker.state() is BreakerState.OPEN
    bench.clock.advance(5)
    bench.first.down = bench.second.down = True
    for _ in range(3):
        bench.analytics.flush()
    assert bench.analytics.snapshot().spooled_bytes > 0
    assert breaker.state() is not BreakerState.CLOSED
    others.close()


def test_what_fits_nowhere_is_counted(tmp_path: Path) -> None:
    bench = Bench(tmp_path, buffer_events=100, spool_bytes=1000)
    bench.first.down = bench.second.down = True
    for _ in range(120):
        bench.request()
    assert bench.analytics.snapshot().dropped == 20
    bench.analytics.flush()
    kept = (tmp_path / next(iter(tmp_path.iterdir())).name).read_bytes().count(b"\n")
    assert bench.analytics.snapshot().dropped == 120 - kept


def test_an_unwritable_spool_loses_events_visibly(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    bench = Bench(tmp_path / "file")
    bench.first.down = bench.second.down = True
    bench.request()
    bench.analytics.flush()
    assert bench.analytics.snapshot().dropped == 1


def test_stopping_writes_down_what_waits(bench: Bench) -> None:
    bench.request()
    bench.analytics.stop()
    assert len(bench.first.events) == 1


def test_old_events_are_forgotten_now_and_then(bench: Bench) -> None:
    bench.first.write([RequestEvent(START - timedelta(days=31), "/x", "GET", 200, 1.0), RequestEvent(START, "/x", "GET", 200, 1.0)])
    bench.analytics._step()
    assert len(bench.first.events) == 2
    bench.clock.advance(601)
    bench.analytics._step()
    assert len(bench.first.events) == 1


def test_errors_show_failed_requests_and_faults(bench: Bench) -> None:
    for status in (200, 404, 503):
        bench.request(status)
    bench.analytics.record_fault(FaultEvent(START, "TIMEOUT_ERROR", "infrastructure", "medium", "postgres", "v1-0"))
    bench.analytics.flush()
    report = bench.analytics.errors(replace(HOUR, group_by=(Dimension.STATUS, Dimension.FAULT_TYPE)))
    assert sorted(row.key[Dimension.STATUS] or 0 for row in report.rows) == [404, 503]
    assert [(fault.fault_type, fault.count) for fault in report.faults] == [("TIMEOUT_ERROR", 1)]


def test_rows_come_by_time_and_are_cut_at_the_limit(bench: Bench) -> None:
    for number in range(MAX_ROWS + 50):
        bench.analytics.record_request(RequestEvent(START + timedelta(seconds=number % 60), f"/{number}", "GET", 200, 1.0))
    bench.analytics.flush()
    report = bench.analytics.requests(replace(HOUR, bucket_seconds=10, group_by=(Dimension.ROUTE,)))
    assert (len(report.rows), report.truncated) == (MAX_ROWS, True)
    times = [row.bucket_at for row in report.rows if row.bucket_at]
    assert times == sorted(times)


def test_nobody_to_ask_is_an_honest_503(bench: Bench) -> None:
    bench.first.down = bench.second.down = True
    with pytest.raises(DatabaseUnreachable):
        bench.analytics.requests(HOUR)
    empty = Analytics([], FileSpool(Path("unused"), "x", 0), bench.breakers, bench.clock)
    with pytest.raises(Unavailable):
        empty.requests(HOUR)


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        (AnalyticsQuery(START, START), "?until"),
        (AnalyticsQuery(START, START + timedelta(days=500)), "?since"),
        (AnalyticsQuery(START.replace(tzinfo=None), START), "?since"),
        (replace(HOUR, bucket_seconds=0), "?bucket"),
        (replace(HOUR, bucket_seconds=1), "?bucket"),
        (replace(HOUR, group_by=(Dimension.ROUTE, Dimension.ROUTE)), "?groupBy"),
        (replace(HOUR, group_by=(Dimension.FAULT_TYPE,)), "?groupBy"),
        (replace(HOUR, status=99), "?status"),
        (replace(HOUR, tenant="x" * 301), "?tenant"),
        (replace(HOUR, route="\x00"), "?route"),
    ],
)
def test_impossible_questions_are_refused_by_name(bench: Bench, query: AnalyticsQuery, pointer: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        bench.analytics.requests(query)
    assert pointer in [error.pointer for error in refused.value.errors]


@pytest.mark.parametrize(
    "event",
    [
        RequestEvent(START, "/x", "GET", 200, 1.25, tenant="acme"),
        FaultEvent(START, "TIMEOUT_ERROR", "infrastructure", "medium", "postgres", "v1-0", retryable=True),
        RecoveryEvent(START, "r1", "database:postgres", "TIMEOUT_ERROR", "retry", "delayed", "recovered", 12.5),
    ],
)
def test_a_line_of_the_spool_is_the_event_again(event: RequestEvent | FaultEvent | RecoveryEvent) -> None:
    assert from_line(to_line(event)) == event


def test_a_line_of_another_version_is_skipped() -> None:
    assert from_line({"kind": "dream"}) is None
    assert from_line({"kind": "request", "at": "2026-01-01T00:00:00+00:00", "colour": "red"}) is None
    assert from_line({}) is None


def test_a_line_that_cannot_be_read_is_not_lost_silently(bench: Bench, tmp_path: Path) -> None:
    newer = FileSpool(tmp_path, "analytics", 10_000)
    newer.append([{"kind": "dream"}, to_line(RequestEvent(START, "/x", "GET", 200, 5.0))])
    newer.close()
    with structlog.testing.capture_logs() as logs:
        bench.analytics.flush()
    assert len(bench.first.events) == 1
    assert [(entry["event"], entry["count"]) for entry in logs if entry["log_level"] == "warning"] == [("analytics_lines_unreadable", 1)]
