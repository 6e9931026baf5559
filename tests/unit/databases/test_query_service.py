"""The bounds of one read, and how its answer comes back."""

from typing import Any

import pytest

from config.settings import Settings
from gateway.databases.errors import DatabaseDisabled, DatabaseNotFound, DatabaseUnreachable
from gateway.databases.limits import MAX_PARAMETERS, MAX_STATEMENT_BYTES
from gateway.databases.model import DatabaseName, ResultSet
from gateway.databases.pool import Databases
from gateway.databases.service import QueryService, Read
from gateway.errors import InvalidInput, Unavailable
from tests.fakes.clock import FakeClock
from tests.fakes.databases import FakeDatabase


class OneDatabase:
    """`Databases` with one of them."""

    def __init__(self, database: FakeDatabase) -> None:
        self._database = database

    def get(self, name: str) -> FakeDatabase:
        return self._database


@pytest.fixture
def database() -> FakeDatabase:
    return FakeDatabase(DatabaseName.CLICKHOUSE)


@pytest.fixture
def service(database: FakeDatabase) -> QueryService:
    return QueryService(OneDatabase(database), FakeClock())


def test_the_answer_holds_jsons_own_types(service: QueryService, database: FakeDatabase) -> None:
    database.result = ResultSet(("a", "b"), ((2**53, b"x"),), truncated=True)
    answer = service.run("clickhouse", "SELECT 1")
    assert (answer.columns, answer.rows, answer.row_count, answer.truncated) == (("a", "b"), (("9007199254740992", "x"),), 1, True)
    assert answer.served_by == "clickhouse"


def test_what_is_not_given_has_a_default(service: QueryService, database: FakeDatabase) -> None:
    service.run("clickhouse", "SELECT 1")
    assert database.queries == [("SELECT 1", {}, 5.0, 1000)]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"statement": ""}, "/statement"),
        ({"statement": " \n"}, "/statement"),
        ({"statement": 5}, "/statement"),
        ({"statement": "x" * (MAX_STATEMENT_BYTES + 1)}, "/statement"),
        ({"statement": "ü" * (MAX_STATEMENT_BYTES // 2 + 1)}, "/statement"),
        ({"statement": "SELECT '\0'"}, "/statement"),
        ({"statement": "SELECT '\ud800'"}, "/statement"),
        ({"parameters": [1]}, "/parameters"),
        ({"parameters": {str(number): number for number in range(MAX_PARAMETERS + 1)}}, "/parameters"),
        ({"parameters": {"many": list(range(MAX_PARAMETERS + 1))}}, "/parameters"),
        ({"parameters": {"deep": [{"a": list(range(6_000))}, [list(range(6_000))]]}}, "/parameters"),
        ({"parameters": {"a/b~c": ["x", {"deep": "\udfff"}]}}, "/parameters/a~1b~0c"),
        ({"timeout_ms": 0}, "/timeoutMs"),
        ({"timeout_ms": 30_001}, "/timeoutMs"),
        ({"timeout_ms": True}, "/timeoutMs"),
        ({"max_rows": 0}, "/maxRows"),
        ({"max_rows": 10_001}, "/maxRows"),
        ({"max_rows": 1.5}, "/maxRows"),
    ],
)
def test_what_exceeds_a_bound_is_refused_with_a_pointer(
    service: QueryService, database: FakeDatabase, changes: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(InvalidInput) as raised:
        service.run("clickhouse", **{"statement": "SELECT 1", **changes})
    assert [error.pointer for error in raised.value.errors] == [pointer]
    assert database.queries == []


def test_the_largest_allowed_is_run(service: QueryService, database: FakeDatabase) -> None:
    parameters = {str(number): number for number in range(MAX_PARAMETERS)}
    service.run("clickhouse", "x" * MAX_STATEMENT_BYTES, parameters, 30_000, 10_000)
    assert len(database.queries) == 1


def test_who_recovers_decides_whether_and_how_often_it_is_read(database: FakeDatabase) -> None:
    def twice(name: DatabaseName, read: Read, timeout_seconds: float) -> ResultSet:
        read(timeout_seconds)
        return read(timeout_seconds / 2)

    QueryService(OneDatabase(database), FakeClock(), twice).run("clickhouse", "SELECT 1")
    assert len(database.queries) == 2


def test_a_database_that_was_given_up_is_not_read(database: FakeDatabase) -> None:
    def shut(name: DatabaseName, read: Read, timeout_seconds: float) -> ResultSet:
        raise Unavailable(f"{name} is not called for a moment")

    with pytest.raises(Unavailable):
        QueryService(OneDatabase(database), FakeClock(), shut).run("clickhouse", "SELECT 1")
    assert database.queries == []


def test_an_error_of_the_engine_passes_as_it_is(service: QueryService, database: FakeDatabase) -> None:
    database.error = DatabaseUnreachable("clickhouse", "gone")
    with pytest.raises(DatabaseUnreachable):
        service.run("clickhouse", "SELECT 1")


def test_an_unknown_name_is_not_found_and_a_disabled_one_says_how_to_enable_it() -> None:
    databases = Databases(Settings.from_environment({"DATABASE_URL": "postgresql://a@127.0.0.1/x"}))
    assert [database.name for database in databases] == ["postgres", "dragonflydb", "clickhouse", "weaviate", "arangodb", "redis"]
    assert [database.name for database in databases.configured] == ["postgres"]
    with pytest.raises(DatabaseNotFound):
        databases.get("oracle")
    with pytest.raises(DatabaseDisabled, match="set CLICKHOUSE_HOST"):
        databases.get("clickhouse")
    databases.close()
