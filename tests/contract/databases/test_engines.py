"""What one engine does that the others have no counterpart for."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from urllib.parse import urlsplit

import pytest

from config.settings import Settings
from gateway.databases import postgres_waiting
from gateway.databases.errors import (
    AnswerTooLarge,
    DatabasePoolExhausted,
    DatabaseReadOnly,
    DatabaseTimeout,
    DatabaseUnreachable,
    StatementConflict,
    StatementInvalid,
    StatementRefused,
)
from gateway.databases.limits import MAX_PARAMETERS
from gateway.databases.pool import Databases
from gateway.databases.postgres import GRACE_SECONDS
from gateway.databases.postgres_errors import translated
from gateway.databases.postgres_reading import read
from gateway.databases.sql_text import Kind, Token
from tests.conftest import execute
from tests.doubles.arangodb import running_arangodb
from tests.servers.real import OWN_CLASS
from tests.servers.subjects import MAKERS, Subject


@contextmanager
def databases(**environment: str) -> Iterator[Databases]:
    made = Databases(Settings.from_environment(environment))
    try:
        yield made
    finally:
        made.close()


@contextmanager
def subject_of(name: str, request: pytest.FixtureRequest) -> Iterator[Subject]:
    with ExitStack() as stack:
        yield MAKERS[name](request, stack)


@pytest.fixture
def dripping() -> Iterator[int]:
    """The port of a server that sends one byte every 50 ms, for ever."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=drip, args=(client,), daemon=True).start()

    def drip(client: socket.socket) -> None:
        with client:
            while not stop.wait(0.05):
                try:
                    client.sendall(b"*")
                except OSError:
                    return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    stop.set()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def test_clickhouses_http_port_in_place_of_the_native_one_gets_a_clear_line(clickhouse_server_http_port: int) -> None:
    environment = {"CLICKHOUSE_HOST": "127.0.0.1", "CLICKHOUSE_NATIVE_PORT": str(clickhouse_server_http_port)}
    with databases(**environment) as made, pytest.raises(DatabaseUnreachable, match="CLICKHOUSE_NATIVE_PORT leads to an HTTP server"):
        made.clickhouse.ping(0.5)


@pytest.mark.parametrize("name", ["clickhouse", "clickhouse-engine"])
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("Nullable(String)", None),
        ("Nullable(Int64)", None),
        ("UInt8", True),
        ("Int64", -(2**63)),
        ("Float64", 1e-300),
        ("Float64", float("inf")),
        ("String", "NULL"),
        ("Array(String)", ["it's", "\\", "a\n\tb", ""]),
        ("Array(Float64)", [1.5, -2.0]),
        ("Array(Nullable(UInt8))", [True, None]),
        ("UUID", "6c1d7ab0-93a8-4a63-9f3a-b8ae6ae7e9a2"),
    ],
)
def test_clickhouse_reads_every_kind_of_parameter_as_it_was_meant(
    request: pytest.FixtureRequest, name: str, kind: str, value: object
) -> None:
    with subject_of(name, request) as subject, subject.opened() as database:
        statement = f"SELECT {{value:{kind}}} AS value, 100 % 7 AS rest"
        ((found, rest),) = database.query(statement, {"value": value}, timeout_seconds=5, max_rows=1).rows
        assert (str(found) if kind == "UUID" else found, rest) == (value, 2)


@pytest.mark.parametrize("name", ["clickhouse", "clickhouse-engine"])
@pytest.mark.parametrize("count", [1_500_000, 100_000_000])
def test_a_value_of_clickhouse_that_no_process_may_hold_is_refused(request: pytest.FixtureRequest, name: str, count: int) -> None:
    """The first fills the wire, the second the server's memory."""
    statement = f"SELECT arrayStringConcat(arrayMap(x -> '{'x' * 50}', range({count})))"
    with subject_of(name, request) as subject, subject.opened() as database:
        with pytest.raises(AnswerTooLarge):
            database.query(statement, {}, timeout_seconds=30, max_rows=1)
        assert database.query("SELECT 1", {}, timeout_seconds=5, max_rows=1).rows == ((1,),)


def test_a_column_of_clickhouse_whose_name_is_not_utf8_is_the_callers_fault(request: pytest.FixtureRequest) -> None:
    with subject_of("clickhouse", request) as subject, subject.opened() as database:
        with pytest.raises(StatementInvalid, match="UTF-8"):
            database.query("SELECT '\\xff'", {}, timeout_seconds=5, max_rows=1)
        assert database.query("SELECT 1", {}, timeout_seconds=5, max_rows=1).rows == ((1,),)


@pytest.mark.parametrize("nested", ["INTERVAL ", "NOT ", "- ", "(", "CASE WHEN "])
def test_an_old_clickhouse_outlives_what_overflows_its_parser(request: pytest.FixtureRequest, nested: str) -> None:
    with subject_of("clickhouse", request) as subject, subject.opened() as database:
        for count in (100, 19_000):
            with suppress(StatementInvalid):
                database.query(f"SELECT {nested * count}1", {}, timeout_seconds=10, max_rows=1)
            assert database.query("SELECT 1", {}, timeout_seconds=5, max_rows=1).rows == ((1,),)


@pytest.mark.parametrize("name", ["clickhouse", "arangodb", "redis"])
def test_a_server_that_drips_for_ever_is_given_up(dripping: int, name: str) -> None:
    environment = {
        "clickhouse": {"CLICKHOUSE_HOST": "127.0.0.1", "CLICKHOUSE_NATIVE_PORT": str(dripping)},
        "arangodb": {"ARANGO_URL": f"http://127.0.0.1:{dripping}"},
        "redis": {"REDIS_URL": f"redis://127.0.0.1:{dripping}/0", "REDIS_TIMEOUT_SECONDS": "0.5"},
    }[name]
    with databases(**environment) as made, pytest.raises(DatabaseUnreachable):
        made.get(name).ping(0.5)


def test_a_redis_value_larger_than_the_cap_is_refused_and_the_connection_not_reused_in_its_middle(redis_url: str) -> None:
    with databases(REDIS_URL=redis_url) as made:
        with made.redis.commands() as client:
            client.set("large", b"x" * 9_000_000)
            client.rpush("wide", *[b"y" * 1_000_000] * 20)
        with pytest.raises(AnswerTooLarge):
            made.redis.query("GET large", {}, timeout_seconds=5, max_rows=1)
        wide = made.redis.query("LRANGE wide 0 -1", {}, timeout_seconds=5, max_rows=100)
        assert wide.truncated
        assert 1 <= len(wide.rows) < 9
        assert made.redis.query("STRLEN large", {}, timeout_seconds=5, max_rows=1).rows == ((9_000_000,),)


def test_redis_hashes_are_pairs(redis_url: str) -> None:
    with databases(REDIS_URL=redis_url) as made:
        with made.redis.commands() as client:
            client.hset("h", mapping={"a": "1", "b": "2"})
        result = made.redis.query("HGETALL h", {}, timeout_seconds=5, max_rows=1)
        assert (result.columns, result.rows, result.truncated) == (("key", "value"), ((b"a", b"1"),), True)
        assert made.redis.query("GET nothing", {}, timeout_seconds=5, max_rows=1).rows == ((None,),)


def test_wide_rows_of_postgres_are_cut_by_bytes(postgres_url: str) -> None:
    with databases(DATABASE_URL=postgres_url) as made:
        result = made.postgres.query("SELECT repeat('x', 1000000) FROM generate_series(1, 100)", {}, timeout_seconds=20, max_rows=100)
        assert result.truncated
        assert 1 <= len(result.rows) <= 8
        with pytest.raises(AnswerTooLarge):
            made.postgres.query("SELECT repeat('x', 9000000)", {}, timeout_seconds=20, max_rows=1)


def test_a_value_of_postgres_that_no_process_may_hold_is_not_received_to_its_end(postgres_url: str) -> None:
    with databases(DATABASE_URL=postgres_url) as made:
        for statement in ("SELECT repeat('x', 200000000)", "SELECT repeat('x', 9000000) FROM generate_series(1, 20)"):
            with pytest.raises(AnswerTooLarge, match="The answer is too large"):
                made.postgres.query(statement, {}, timeout_seconds=30, max_rows=100)
        assert made.postgres.query("SELECT 1", {}, timeout_seconds=5, max_rows=1).rows == ((1,),)
        assert made.postgres.pool_stats().in_use == 0


def test_a_postgres_that_takes_no_writes_says_so_when_pinged_and_is_read_all_the_same(postgres_url: str) -> None:
    execute(postgres_url, f"ALTER DATABASE {urlsplit(postgres_url).path[1:]} SET default_transaction_read_only = on")
    with databases(DATABASE_URL=postgres_url) as made:
        with pytest.raises(DatabaseReadOnly):
            made.postgres.ping(2)
        assert made.postgres.query("SELECT 1", {}, timeout_seconds=2, max_rows=1).rows == ((1,),)


def test_ten_thousand_parameters_are_bound_in_postgres(postgres_url: str) -> None:
    names = [f"p{number}" for number in range(MAX_PARAMETERS)]
    statement = "SELECT count(*) FROM (VALUES " + ", ".join(f"(:{name})" for name in names) + ") AS v"
    with databases(DATABASE_URL=postgres_url) as made:
        result = made.postgres.query(statement, dict.fromkeys(names, 1), timeout_seconds=20, max_rows=1)
    assert result.rows == ((MAX_PARAMETERS,),)


@pytest.mark.parametrize("value", ["nul \0", ["nul \0"], {"a": "nul \0"}])
def test_postgres_holds_no_nul_in_a_text(postgres_url: str, value: object) -> None:
    with databases(DATABASE_URL=postgres_url) as made, pytest.raises(StatementInvalid):
        made.postgres.query("SELECT :v", {"v": value}, timeout_seconds=5, max_rows=1)


def test_a_read_of_postgres_leaves_nothing_in_the_session(postgres_url: str) -> None:
    with databases(DATABASE_URL=postgres_url, POSTGRES_POOL_SIZE="1") as made:
        made.postgres.query("SELECT 1", {}, timeout_seconds=1, max_rows=1)
        with made.postgres.transaction() as connection:
            assert connection.exec_driver_sql("SHOW statement_timeout").scalar_one() == "2s"
            assert connection.exec_driver_sql("SHOW transaction_read_only").scalar_one() == "off"
            assert connection.exec_driver_sql("SELECT current_user = session_user").scalar_one() is True


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1; COMMIT; CREATE TABLE hole ()",
        "WITH gone AS (DELETE FROM executions RETURNING 1) SELECT * FROM gone",
        "SELECT 1 INTO hole",
        "COMMIT",
        "CREATE TABLE hole ()",
    ],
)
def test_postgres_itself_takes_one_read_only_however_its_text_was_read_here(postgres_url: str, text: str) -> None:
    with databases(DATABASE_URL=postgres_url) as all_six:
        deadline = time.monotonic() + 5
        with (
            pytest.raises((StatementInvalid, DatabaseReadOnly)),
            translated(),
            all_six.postgres.sqlalchemy_engine().connect() as connection,
        ):
            read(connection, [Token(Kind.WORD, text)], {}, deadline=deadline, max_rows=5)
        found = all_six.postgres.query("SELECT 1 FROM pg_class WHERE relname = 'hole'", {}, timeout_seconds=5, max_rows=5)
    assert not found.rows


@pytest.mark.parametrize("statement", ["SELECT E:a", "SELECT E:a, 1", "SELECT 'a':a"])
def test_what_a_parameter_touches_does_not_change_how_postgres_reads_it(postgres_url: str, statement: str) -> None:
    with databases(DATABASE_URL=postgres_url) as all_six, pytest.raises(StatementInvalid):
        all_six.postgres.query(statement, {"a": "\\' , pg_backend_pid() --"}, timeout_seconds=5, max_rows=5)


@pytest.mark.parametrize("statement", ["EXPLAIN SELECT 1", "SHOW timezone", "EXPLAIN (FORMAT JSON) SELECT :a::text", "TABLE pg_am"])
def test_postgres_reads_what_is_no_select_too(postgres_url: str, statement: str) -> None:
    with databases(DATABASE_URL=postgres_url) as all_six:
        assert all_six.postgres.query(statement, {"a": "100 % 'é'"}, timeout_seconds=5, max_rows=5).rows


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("'0044-03-15 BC'::date", "0044-03-15 BC"),
        ("'infinity'::date", "infinity"),
        ("'-infinity'::timestamptz", "-infinity"),
        ("'294276-01-01'::timestamp", "294276-01-01 00:00:00"),
        ("'24:00'::time", "24:00:00"),
        ("'100000000 years'::interval", "100000000 years"),
        ("ARRAY['infinity'::date]", ["infinity"]),
        ("ARRAY['24:00+00'::timetz]", ["24:00:00+00"]),
    ],
)
def test_moments_that_python_cannot_hold_come_as_postgres_writes_them(postgres_url: str, expression: str, text: object) -> None:
    with databases(DATABASE_URL=postgres_url) as all_six:
        assert all_six.postgres.query(f"SELECT {expression}", {}, timeout_seconds=5, max_rows=5).rows == ((text,),)


def test_an_object_is_bound_to_postgres_as_jsonb(postgres_url: str) -> None:
    with databases(DATABASE_URL=postgres_url) as all_six:
        found = all_six.postgres.query("SELECT :a -> 'b', :c::json -> 0", {"a": {"b": 1}, "c": [{"d": 2}]}, timeout_seconds=5, max_rows=5)
    assert found.rows == ((1, {"d": 2}),)


def test_a_superusers_read_runs_without_its_powers(postgres_url: str) -> None:
    with databases(DATABASE_URL=postgres_url.replace("//gateway:", "//postgres:")) as made:
        with made.postgres.transaction() as connection:
            assert connection.exec_driver_sql("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").scalar_one()
        result = made.postgres.query("SELECT current_user", {}, timeout_seconds=5, max_rows=1)
        assert result.rows == (("pg_read_all_data",),)
        made.postgres.query("SELECT count(*) FROM executions", {}, timeout_seconds=5, max_rows=1)


def test_a_transaction_gives_up_on_a_postgres_that_falls_silent(request: pytest.FixtureRequest) -> None:
    with subject_of("postgres", request) as subject, databases(**subject.environment, POSTGRES_STATEMENT_TIMEOUT_SECONDS="0.5") as made:
        made.postgres.connect()
        subject.proxies[0].mode = "hang"
        with pytest.raises(DatabaseTimeout), made.postgres.transaction() as connection:
            connection.exec_driver_sql("SELECT 1")
        subject.proxies[0].mode = "pass"
        with made.postgres.transaction() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1


def test_all_transactions_of_a_request_together_wait_for_a_silent_postgres_once(request: pytest.FixtureRequest) -> None:
    with subject_of("postgres", request) as subject, databases(**subject.environment, POSTGRES_STATEMENT_TIMEOUT_SECONDS="0.5") as made:
        made.postgres.connect()
        (proxy,) = subject.proxies
        with made.postgres.one_request():
            proxy.mode = "hang"
            for _ in range(3):
                with pytest.raises(DatabaseTimeout), made.postgres.transaction() as connection:
                    connection.exec_driver_sql("SELECT 1")
            limit = 0.5 + GRACE_SECONDS
            assert limit <= postgres_waiting.silent_seconds() < 2 * limit
            opened = proxy.accepted
            proxy.mode = "pass"
            with pytest.raises(DatabaseTimeout), made.postgres.transaction():
                pytest.fail("began")
            assert proxy.accepted == opened
        with made.postgres.one_request(), made.postgres.transaction() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1


def test_an_answer_ends_the_silence(postgres_url: str) -> None:
    with databases(DATABASE_URL=postgres_url, POSTGRES_STATEMENT_TIMEOUT_SECONDS="2") as made, made.postgres.one_request():
        for _ in range(5):  # longer than one may take, together
            with made.postgres.transaction() as connection:
                connection.exec_driver_sql("SELECT pg_sleep(0.5)")
        assert postgres_waiting.silent_seconds() == 0


def test_a_read_of_postgres_may_take_longer_than_a_statement_of_the_house(postgres_url: str) -> None:
    with databases(DATABASE_URL=postgres_url, POSTGRES_STATEMENT_TIMEOUT_SECONDS="0.2") as made:
        answer = made.postgres.query("SELECT 1 FROM pg_sleep(1)", {}, timeout_seconds=10, max_rows=1)
    assert answer.rows == ((1,),)


def test_clickhouse_is_given_up_when_it_says_nothing_for_as_long_as_the_caller_can_wait(request: pytest.FixtureRequest) -> None:
    with subject_of("clickhouse", request) as subject, databases(**subject.environment, CLICKHOUSE_TIMEOUT_SECONDS="300") as made:
        made.clickhouse.connect()
        with made.clickhouse.commands(None, 1.0) as client:  # it tells its progress meanwhile
            assert client.execute("SELECT sleep(1), sleep(1)") == [(0, 0)]
        subject.proxies[0].mode = "hang"
        with pytest.raises(DatabaseTimeout), made.clickhouse.commands(None, 0.3) as client:
            client.execute("SELECT 1")


def test_a_transaction_may_have_a_limit_of_its_own(postgres_url: str) -> None:
    with databases(DATABASE_URL=postgres_url, POSTGRES_STATEMENT_TIMEOUT_SECONDS="0.2") as made:
        with made.postgres.transaction(statement_timeout_seconds=10) as connection:
            connection.exec_driver_sql("SELECT pg_sleep(1.5)")
        with pytest.raises(DatabaseTimeout), made.postgres.transaction() as connection:
            connection.exec_driver_sql("SELECT pg_sleep(5)")


def test_a_full_pool_of_postgres_says_so_and_counts_who_waited(postgres_url: str) -> None:
    with databases(DATABASE_URL=postgres_url, POSTGRES_POOL_SIZE="1") as made:
        with made.postgres.transaction(), pytest.raises(DatabasePoolExhausted):
            made.postgres.query("SELECT 1", {}, timeout_seconds=1, max_rows=1)
        stats = made.postgres.pool_stats()
        assert (stats.in_use, stats.idle, stats.limit, stats.waits) == (0, 1, 1, 1)


def test_a_unique_key_that_exists_is_a_conflict(postgres_url: str) -> None:
    statement = "CREATE TEMP TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1), (1)"
    with databases(DATABASE_URL=postgres_url) as made, pytest.raises(StatementConflict), made.postgres.transaction() as connection:
        connection.exec_driver_sql(statement)


def test_aql_that_would_write_is_explained_and_never_run() -> None:
    with running_arangodb() as double, databases(ARANGO_URL=f"http://127.0.0.1:{double.port}", ARANGO_PASSWORD=double.password) as made:
        double.knows("FOR d IN c RETURN (INSERT d INTO e)", lambda _: [], nodes=("SubqueryStartNode", "InsertNode", "SubqueryEndNode"))
        with pytest.raises(StatementRefused):
            made.arangodb.query("FOR d IN c RETURN (INSERT d INTO e)", {}, timeout_seconds=5, max_rows=1)
        assert double.executed == []


def test_aql_cursors_are_closed_when_enough_was_read() -> None:
    with running_arangodb() as double, databases(ARANGO_URL=f"http://127.0.0.1:{double.port}", ARANGO_PASSWORD=double.password) as made:
        double.knows("FOR n IN 1..100000 RETURN n", lambda _: iter(range(100_000)))
        assert made.arangodb.query("FOR n IN 1..100000 RETURN n", {}, timeout_seconds=5, max_rows=250).truncated
        assert double.cursors == {}


def test_the_arangodb_double_refuses_what_it_does_not_know() -> None:
    with running_arangodb() as double, databases(ARANGO_URL=f"http://127.0.0.1:{double.port}", ARANGO_PASSWORD=double.password) as made:
        with pytest.raises(StatementInvalid), made.arangodb.commands() as database:
            database.collection("c").insert({"a": 1})
        assert double.refused == ["POST /_api/document/c"]


def test_weaviate_stores_and_finds_by_own_vectors_over_grpc(request: pytest.FixtureRequest) -> None:
    with subject_of("weaviate", request) as subject, subject.opened() as database, database.commands(10) as client:  # type: ignore[attr-defined]
        client.collections.delete(OWN_CLASS)
        things = client.collections.create_from_dict({"class": OWN_CLASS, "vectorizer": "none"})
        for number, vector in enumerate([[1.0, 0.0], [0.7, 0.7], [0.0, 1.0]]):
            things.data.insert({"n": number}, vector=vector)
        found = things.query.near_vector([0.1, 1.0], limit=2, return_metadata=["distance"])
        assert [item.properties["n"] for item in found.objects] == [2, 1]
        assert found.objects[0].metadata.distance < found.objects[1].metadata.distance
        client.collections.delete(OWN_CLASS)


def test_weaviates_grpc_failure_is_not_retried(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway.databases import weaviate_errors

    calls: list[str] = []
    failed = weaviate_errors.GrpcFailed.__init__
    monkeypatch.setattr(weaviate_errors.GrpcFailed, "__init__", lambda error, code: (calls.append(code.name), failed(error, code))[1])
    with subject_of("weaviate", request) as subject, subject.opened() as database:
        database.ping(5)
        subject.proxies[1].refuse()
        with pytest.raises(DatabaseUnreachable, match="gRPC"), database.commands(5) as client:  # type: ignore[attr-defined]
            client.collections.get(OWN_CLASS).query.fetch_objects(limit=1)
        assert calls == ["UNAVAILABLE"]
