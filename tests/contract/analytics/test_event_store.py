"""What every event store must do, on the same data with the same answers."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from config.databases import ClickHouseSettings, PostgresSettings
from gateway.analytics.clickhouse import ClickHouseEventStore
from gateway.analytics.clickhouse_schema import TABLES, create_table
from gateway.analytics.model import AnalyticsQuery, Dimension, Event, FaultEvent, RecoveryEvent, RequestEvent, new_event_id
from gateway.analytics.ports import EventStore
from gateway.analytics.postgres import PostgresEventStore
from gateway.databases.clickhouse import ClickHouse
from gateway.databases.errors import DatabaseError
from gateway.databases.postgres import Postgres
from tests.fakes.event_store import InMemoryEventStore

START = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
DAY = AnalyticsQuery(START, START + timedelta(days=1))


def some_events() -> list[Event]:
    """300 requests over 10 minutes, 12 faults and a recovery; the same ones every time."""
    dice = random.Random(11)
    requests = [
        RequestEvent(
            at=START + timedelta(seconds=2 * number, microseconds=dice.randrange(10**6)),
            route=dice.choice(["/api/v1/flows", "/api/v1/flows/<flow_id>", "/api/v1/services"]),
            method="GET",
            status=dice.choice([200, 200, 200, 404, 503]),
            duration_ms=dice.random() * 100,
            bytes_sent=dice.randrange(5000),
            tenant=dice.choice([None, "acme", "Zeta", "über"]),
            fault_type=dice.choice([None, None, "TIMEOUT_ERROR"]),
        )
        for number in range(300)
    ]
    faults = [
        FaultEvent(
            START + timedelta(minutes=number), "TIMEOUT_ERROR", "infrastructure", "medium", "postgres", f"v1-{number}", target=target
        )
        for number, target in enumerate(["database:postgres"] * 7 + [None] * 5)
    ]
    recovery = RecoveryEvent(START, "r1", "database:postgres", "TIMEOUT_ERROR", "retry", "delayed", "recovered", 12.5)
    return [*requests, *faults, recovery]


EVENTS = some_events()


@pytest.fixture
def postgres_event_store(postgres_url: str) -> Iterator[PostgresEventStore]:
    postgres = Postgres(PostgresSettings.read({"DATABASE_URL": postgres_url}))
    yield PostgresEventStore(postgres.transaction)
    postgres.close()


@contextmanager
def clickhouse_store(environment: dict[str, str]) -> Iterator[ClickHouseEventStore]:
    """A store that finds no tables yet."""
    clickhouse = ClickHouse(ClickHouseSettings.read(environment))
    with clickhouse.commands() as client:
        for table in TABLES.values():
            client.execute(f"DROP TABLE IF EXISTS {table}")
    yield ClickHouseEventStore(clickhouse.commands)
    clickhouse.close()


@pytest.fixture
def clickhouse_event_store(clickhouse_environment: dict[str, str]) -> Iterator[ClickHouseEventStore]:
    with clickhouse_store(clickhouse_environment) as store:
        yield store


@pytest.fixture
def clickhouse_engine_event_store(clickhouse_engine_environment: dict[str, str]) -> Iterator[ClickHouseEventStore]:
    with clickhouse_store(clickhouse_engine_environment) as store:
        yield store


@pytest.fixture(params=["memory", "postgres", "clickhouse", "clickhouse_engine"])
def event_store(request: pytest.FixtureRequest) -> EventStore:
    if request.param == "memory":
        return InMemoryEventStore()
    store: EventStore = request.getfixturevalue(f"{request.param}_event_store")
    return store


@pytest.fixture
def reference() -> InMemoryEventStore:
    """What the answer must be."""
    store = InMemoryEventStore()
    store.write(EVENTS)
    return store


QUERIES = [
    DAY,
    AnalyticsQuery(START, START + timedelta(days=1), bucket_seconds=60),
    AnalyticsQuery(START, START + timedelta(days=1), bucket_seconds=7),
    AnalyticsQuery(START, START + timedelta(days=1), group_by=(Dimension.ROUTE, Dimension.STATUS)),
    AnalyticsQuery(START, START + timedelta(days=1), bucket_seconds=300, group_by=(Dimension.TENANT, Dimension.METHOD)),
    AnalyticsQuery(START, START + timedelta(days=1), group_by=(Dimension.FAULT_TYPE,), status=503),
    AnalyticsQuery(START, START + timedelta(days=1), tenant="acme", route="/api/v1/services"),
    AnalyticsQuery(START + timedelta(seconds=30), START + timedelta(seconds=90), group_by=(Dimension.TENANT,)),
    AnalyticsQuery(START - timedelta(days=1), START),
]


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("failed_only", [False, True])
def test_every_store_counts_alike(event_store: EventStore, reference: InMemoryEventStore, query: AnalyticsQuery, failed_only: bool) -> None:
    event_store.write(EVENTS)
    assert event_store.count_requests(query, failed_only=failed_only, limit=1000) == reference.count_requests(
        query, failed_only=failed_only, limit=1000
    )


@pytest.mark.parametrize("query", QUERIES)
def test_every_store_counts_faults_alike(event_store: EventStore, reference: InMemoryEventStore, query: AnalyticsQuery) -> None:
    event_store.write(EVENTS)
    assert event_store.count_faults(query, limit=10) == reference.count_faults(query, limit=10)


@pytest.mark.parametrize(
    ("count", "p50", "p95", "p99"), [(1, 1, 1, 1), (2, 2, 2, 2), (20, 11, 20, 20), (100, 51, 96, 100), (200, 101, 191, 199)]
)
def test_quantiles_are_values_never_between(event_store: EventStore, count: int, p50: float, p95: float, p99: float) -> None:
    events = [RequestEvent(START, "/x", "GET", 200, float(number)) for number in range(1, count + 1)]
    random.Random(3).shuffle(events)
    event_store.write(events)
    (row,) = event_store.count_requests(DAY, failed_only=False, limit=10)
    assert (row.p50_ms, row.p95_ms, row.p99_ms) == (p50, p95, p99)


@pytest.mark.parametrize("seed", [1, 2])
def test_percentiles_of_groups_of_any_size_are_alike(event_store: EventStore, seed: int) -> None:
    dice, reference = random.Random(seed), InMemoryEventStore()
    durations = [
        0.0,
        1e-9,
        0.1 + 0.2,
        1e6,
        *(dice.expovariate(0.1) for _ in range(20)),
    ]  # drawn again and again: many are equal
    sizes = {f"/{number}": number for number in [*range(1, 42), 99, 100, 101, 199, 200]}
    events = [RequestEvent(START, route, "GET", 200, dice.choice(durations)) for route, size in sizes.items() for _ in range(size)]
    query = replace(DAY, group_by=(Dimension.ROUTE,))
    for store in (event_store, reference):
        store.write(events)
    assert event_store.count_requests(query, failed_only=False, limit=100) == reference.count_requests(query, failed_only=False, limit=100)


def test_writing_again_changes_nothing(event_store: EventStore) -> None:
    event_store.write(EVENTS)
    before = event_store.count_requests(DAY, failed_only=False, limit=10)
    event_store.write(EVENTS[:150])
    event_store.write(EVENTS, again=True)
    assert event_store.count_requests(DAY, failed_only=False, limit=10) == before


def test_limit_keeps_the_most_frequent(event_store: EventStore) -> None:
    query = AnalyticsQuery(START, START + timedelta(days=1), group_by=(Dimension.ROUTE,))
    event_store.write([RequestEvent(START, route, "GET", 200, 1.0) for route in ("/a", "/b", "/b", "/c", "/c", "/c")])
    rows = event_store.count_requests(query, failed_only=False, limit=2)
    assert [(row.key[Dimension.ROUTE], row.count) for row in rows] == [("/c", 3), ("/b", 2)]


def test_callers_words_cannot_break_a_write(event_store: EventStore) -> None:
    event_store.write([RequestEvent(START, "/x", "GET", 200, 1.0, tenant="a\x00\ud800" + "x" * 5000, request_id="\x00")])
    assert event_store.count_requests(DAY, failed_only=False, limit=10)[0].count == 1


def test_rates_and_shares(event_store: EventStore) -> None:
    event_store.write([RequestEvent(START, "/x", "GET", status, 1.0) for status in (200, 200, 404, 503)])
    query = AnalyticsQuery(START, START + timedelta(seconds=10), bucket_seconds=2)
    (row,) = event_store.count_requests(query, failed_only=False, limit=10)
    assert (row.errors, row.error_rate, row.rate_per_second, row.bucket_at) == (1, 0.25, 2.0, START)


def test_old_days_are_forgotten(event_store: EventStore) -> None:
    old = [replace(event, at=event.at - timedelta(days=2), event_id=new_event_id()) for event in EVENTS]
    event_store.write([*EVENTS, *old])
    while event_store.forget(START - timedelta(days=1)):
        pass
    all_time = AnalyticsQuery(START - timedelta(days=9), START + timedelta(days=1))
    assert sum(row.count for row in event_store.count_requests(all_time, failed_only=False, limit=10)) == 300
    assert sum(fault.count for fault in event_store.count_faults(all_time, limit=10)) == 12


@pytest.mark.parametrize("server", ["clickhouse_environment", "clickhouse_engine_environment"])
def test_clickhouse_adds_the_columns_that_an_older_version_did_not_know(request: pytest.FixtureRequest, server: str) -> None:
    with clickhouse_store(request.getfixturevalue(server)) as store:
        new = "served_from"
        with store._commands() as client:
            client.execute(create_table(RequestEvent).replace(f", {new} String", ""))
        store.write(EVENTS)
        with store._commands() as client:
            assert client.execute(f"SELECT DISTINCT {new} FROM {TABLES[RequestEvent]}") == [("live",)]


def test_a_clickhouse_that_lost_its_tables_gets_them_again(clickhouse_environment: dict[str, str]) -> None:
    """It was set up anew while this process ran."""
    with clickhouse_store(clickhouse_environment) as store:
        store.write(EVENTS[:10])
        with store._commands(None, None) as client:
            for table in TABLES.values():
                client.execute(f"DROP TABLE {table}")
        with pytest.raises(DatabaseError):
            store.write(EVENTS[:10])  # kept by its caller, who tries again
        store.write(EVENTS[:10])
        assert sum(row.count for row in store.count_requests(DAY, failed_only=False, limit=10)) == 10
