"""Each of the six engines has one guarded entry for the house, and a ping that is never refused."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from config.settings import Settings
from gateway.databases.errors import DatabaseUnreachable
from gateway.databases.pool import Databases
from gateway.recovery.breaker import BreakerState
from gateway.recovery.guards import DatabaseGuards
from gateway.recovery.registry import Breakers
from gateway.recovery.targets import DATABASE_POLICY, DatabaseBreakerOpen
from tests.fakes.clock import FakeClock

NOWHERE = {  # ports where nobody listens
    "DATABASE_URL": "postgresql://a:b@127.0.0.1:9/c",
    "DRAGONFLY_URL": "redis://127.0.0.1:9/0",
    "REDIS_URL": "redis://127.0.0.1:9/0",
    "CLICKHOUSE_HOST": "127.0.0.1",
    "CLICKHOUSE_NATIVE_PORT": "9",
    "WEAVIATE_HOST": "127.0.0.1",
    "WEAVIATE_PORT": "9",
    "WEAVIATE_GRPC_PORT": "10",
    "ARANGO_URL": "http://127.0.0.1:9",
}
ENTRIES: dict[str, Callable[[Any], AbstractContextManager[Any]]] = {
    "postgres": lambda database: database.transaction(),
    "dragonflydb": lambda database: database.commands(),
    "clickhouse": lambda database: database.commands(),
    "weaviate": lambda database: database.commands(),
    "arangodb": lambda database: database.commands(),
    "redis": lambda database: database.commands(),
}


@pytest.fixture
def nowhere() -> Iterator[tuple[Databases, Breakers]]:
    clock = FakeClock()
    breakers = Breakers(clock)
    databases = Databases(Settings.from_environment(NOWHERE), DatabaseGuards(breakers, clock).around)
    yield databases, breakers
    databases.close()


def use(database: Any) -> None:
    with ENTRIES[database.name](database) as handle:
        if hasattr(handle, "ping"):
            handle.ping()
        elif hasattr(handle, "version"):
            handle.version()


@pytest.mark.parametrize("name", list(ENTRIES))
def test_after_a_few_failures_nothing_is_sent_but_pings(nowhere: tuple[Databases, Breakers], name: str) -> None:
    databases, breakers = nowhere
    database = databases.get(name)
    for _ in range(DATABASE_POLICY.minimum_calls):
        with pytest.raises(DatabaseUnreachable) as failed:
            use(database)
        assert not isinstance(failed.value, DatabaseBreakerOpen)
    with pytest.raises(DatabaseBreakerOpen) as refused:
        use(database)
    assert (refused.value.database, refused.value.retry_after_seconds) == (name, pytest.approx(1.0, abs=0.31))
    with pytest.raises(DatabaseUnreachable) as pinged:
        database.ping(1.0)
    assert not isinstance(pinged.value, DatabaseBreakerOpen)
    assert {breaker.name: breaker.state() for breaker in breakers.list_all()} == {f"database:{name}": BreakerState.OPEN}


def test_time_spent_on_something_else_inside_a_transaction_does_not_count(postgres_url: str) -> None:
    clock = FakeClock()
    breakers = Breakers(clock)
    databases = Databases(Settings.from_environment({"DATABASE_URL": postgres_url}), DatabaseGuards(breakers, clock).around)
    for _ in range(DATABASE_POLICY.window_calls):
        with databases.postgres.transaction() as connection:
            connection.exec_driver_sql("SELECT 1")
            clock.advance(100)
    seen = breakers.of("database:postgres").snapshot()
    assert (seen.state, seen.slow_rate) == (BreakerState.CLOSED, 0.0)
    databases.close()
