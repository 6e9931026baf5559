"""What every database does alike: the one interface, over a real socket, behind a proxy that can misbehave."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from gateway.databases.encoding import to_json
from gateway.databases.errors import (
    DatabaseAuthenticationFailed,
    DatabaseError,
    DatabasePoolExhausted,
    DatabaseTimeout,
    DatabaseUnreachable,
    StatementInvalid,
    StatementRefused,
)
from gateway.databases.ports import Database
from tests.servers.subjects import MAKERS, Subject

# Limits of its own that no test outlasts: what ends a call is the limit that the call was given. (Of Redis and DragonflyDB it does not
# cover connecting: that their own one does.)
PATIENT = {
    "POSTGRES_STATEMENT_TIMEOUT_SECONDS": "300",
    "POSTGRES_CONNECT_TIMEOUT_SECONDS": "300",
    **{f"{name}_TIMEOUT_SECONDS": "300" for name in ("CLICKHOUSE", "WEAVIATE", "ARANGO")},
}


@pytest.fixture(params=MAKERS)
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    with ExitStack() as stack:
        made = MAKERS[request.param](request, stack)
        with made.opened() as database:
            made.seed(database)
        yield made


@pytest.fixture
def database(subject: Subject) -> Iterator[Database]:
    with subject.opened() as opened:
        yield opened


def numbers(database: Database, subject: Subject, count: int, max_rows: int = 100) -> list[int]:
    statement, parameters = subject.rows(count)
    result = database.query(statement, parameters, timeout_seconds=5, max_rows=max_rows)
    return [int(to_json(row[0])) for row in result.rows]


def refusal(database: Database, statement: str) -> DatabaseError | None:
    """What the database says against the statement."""
    try:
        database.query(statement, {}, timeout_seconds=5, max_rows=1)
    except DatabaseError as error:
        return error
    return None


def works_again(database: Database, within_seconds: float = 30.0) -> bool:
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        try:
            database.ping(2)
        except DatabaseUnreachable:
            time.sleep(0.05)
        else:
            return True
    return False


def test_it_connects_and_names_its_version(database: Database) -> None:
    database.connect()
    assert database.ping(5).version[0].isdigit()


def test_nothing_is_opened_before_the_first_use(subject: Subject) -> None:
    before = [proxy.accepted for proxy in subject.proxies]
    with subject.opened() as database:
        assert database.pool_stats().in_use == database.pool_stats().idle == 0
    assert [proxy.accepted for proxy in subject.proxies] == before


def test_it_reads_rows_with_bound_parameters(database: Database, subject: Subject) -> None:
    statement, parameters = subject.rows(3)
    result = database.query(statement, parameters, timeout_seconds=5, max_rows=10)
    assert len(result.columns) == 1
    assert sorted(int(to_json(row[0])) for row in result.rows) == [1, 2, 3]
    assert not result.truncated


def test_exactly_as_many_rows_as_allowed_are_not_truncated(database: Database, subject: Subject) -> None:
    statement, parameters = subject.rows(5)
    assert not database.query(statement, parameters, timeout_seconds=5, max_rows=5).truncated


def test_one_row_more_than_allowed_is_truncated(database: Database, subject: Subject) -> None:
    statement, parameters = subject.rows(6)
    result = database.query(statement, parameters, timeout_seconds=5, max_rows=5)
    assert len(result.rows) == 5
    assert result.truncated


def test_it_reads_again_after_a_truncated_answer(database: Database, subject: Subject) -> None:
    numbers(database, subject, 20, max_rows=2)
    assert sorted(numbers(database, subject, 3)) == [1, 2, 3]


@pytest.mark.parametrize(
    "text",
    ["", "it's", "'; DROP TABLE x; --", '"\\', "{n:UInt8} :n $n @n %(n)s %s", "ü\u2028\U0001f600", "a\nb\tc\r", "\\' OR 1=1"],
)
def test_a_bound_text_comes_back_as_it_went(database: Database, subject: Subject, text: str) -> None:
    if subject.echo is None:
        pytest.skip(f"{subject.name} has no statement that echoes")
    statement, parameters = subject.echo(text)
    result = database.query(statement, parameters, timeout_seconds=5, max_rows=1)
    assert to_json(result.rows[0][0]) == text


def test_writes_are_refused(database: Database, subject: Subject) -> None:
    for statement in subject.writes:
        assert isinstance(refusal(database, statement), StatementRefused), statement
    assert sorted(numbers(database, subject, 3)) == [1, 2, 3]


def test_invalid_statements_are_the_callers_fault(database: Database, subject: Subject) -> None:
    for statement in subject.invalid:
        error = refusal(database, statement)
        assert isinstance(error, StatementInvalid), statement
        assert statement not in error.detail
    assert sorted(numbers(database, subject, 3)) == [1, 2, 3]


def test_an_endless_answer_is_cut(database: Database, subject: Subject) -> None:
    if subject.endless is None:
        pytest.skip(f"{subject.name} has no endless answers")
    result = database.query(*subject.endless, timeout_seconds=20, max_rows=10)
    assert (len(result.rows), result.truncated) == (10, True)


def test_a_statement_that_sleeps_ends_by_its_deadline(database: Database, subject: Subject) -> None:
    if subject.sleeping is None:
        pytest.skip(f"{subject.name} has no statement that sleeps")
    with pytest.raises(DatabaseTimeout):
        database.query(*subject.sleeping, timeout_seconds=0.5, max_rows=1)
    assert sorted(numbers(database, subject, 3)) == [1, 2, 3]


def test_a_server_that_accepts_and_never_answers_is_given_up(subject: Subject) -> None:
    for proxy in subject.proxies:
        proxy.mode = "hang"
    with subject.opened(**PATIENT) as database, pytest.raises(DatabaseTimeout):
        database.ping(0.5)


def test_a_server_that_falls_silent_is_given_up_and_used_again_when_it_answers(subject: Subject) -> None:
    with subject.opened(**PATIENT) as database:
        assert sorted(numbers(database, subject, 3)) == [1, 2, 3]
        for proxy in subject.proxies:
            proxy.mode = "hang"
        statement, parameters = subject.rows(3)
        with pytest.raises(DatabaseTimeout):
            database.query(statement, parameters, timeout_seconds=0.5, max_rows=10)
        for proxy in subject.proxies:
            proxy.mode = "pass"
        assert works_again(database)
        assert sorted(numbers(database, subject, 3)) == [1, 2, 3]


def test_a_refused_connection_is_unreachable_and_used_again_when_it_is_back(database: Database, subject: Subject) -> None:
    database.ping(5)
    for proxy in subject.proxies:
        proxy.refuse()
    with pytest.raises(DatabaseUnreachable) as raised:
        database.ping(2)
    assert not isinstance(raised.value, DatabaseTimeout | DatabasePoolExhausted)
    for proxy in subject.proxies:
        proxy.accept_again()
    assert works_again(database)


def test_a_reset_in_mid_answer_is_unreachable(database: Database, subject: Subject) -> None:
    numbers(database, subject, 3)
    for proxy in subject.proxies:
        proxy.mode = "reset"
    statement, parameters = subject.rows(20)
    with pytest.raises(DatabaseUnreachable) as raised:
        database.query(statement, parameters, timeout_seconds=3, max_rows=100)
    assert not isinstance(raised.value, DatabaseTimeout)
    for proxy in subject.proxies:
        proxy.mode = "pass"
    assert works_again(database)


def test_a_restarted_server_costs_one_failed_call_at_most(database: Database, subject: Subject) -> None:
    numbers(database, subject, 3)
    for proxy in subject.proxies:
        proxy.drop_all()
    failures = 0
    for _ in range(3):
        try:
            numbers(database, subject, 3)
        except DatabaseUnreachable:
            failures += 1
    assert failures <= 1


def test_connections_that_lead_nowhere_cost_one_silent_call(database: Database, subject: Subject) -> None:
    limit = database.pool_stats().limit
    for proxy in subject.proxies:
        proxy.delay_seconds = 0.05  # so that callers at the same time need a connection each
    with ThreadPoolExecutor(limit) as pool:
        list(pool.map(lambda _: numbers(database, subject, 3), range(2 * limit)))
        database.ping(5)
        assert database.pool_stats().idle > 1
        for proxy in subject.proxies:
            proxy.lose_all()
        statement, parameters = subject.rows(3)
        with pytest.raises(DatabaseTimeout):
            database.query(statement, parameters, timeout_seconds=0.5, max_rows=10)
        answers = pool.map(lambda _: sorted(numbers(database, subject, 3)), range(2 * limit))
        assert list(answers) == [[1, 2, 3]] * (2 * limit)
        with pytest.raises(DatabaseTimeout):
            database.ping(0.5)
        assert database.ping(5).version


def test_a_wrong_password_is_named_so_and_is_not_worth_a_retry(subject: Subject) -> None:
    with subject.opened(**subject.wrong_password) as database, pytest.raises(DatabaseAuthenticationFailed) as raised:
        database.ping(5)
    assert not raised.value.retryable


def test_it_closes_and_is_used_again(database: Database, subject: Subject) -> None:
    database.ping(5)
    database.close()
    assert database.pool_stats().idle == 0
    assert sorted(numbers(database, subject, 3)) == [1, 2, 3]
    database.close()
    database.close()


def test_its_pool_is_bounded_and_counted(database: Database, subject: Subject) -> None:
    limit = database.pool_stats().limit
    with ThreadPoolExecutor(2 * limit) as pool:
        answers = list(pool.map(lambda _: sorted(numbers(database, subject, 3)), range(6 * limit)))
    assert answers == [[1, 2, 3]] * (6 * limit)
    stats = database.pool_stats()
    assert stats.in_use == 0
    assert stats.idle <= limit


def test_a_ping_is_answered_while_callers_that_hang_hold_every_connection(database: Database, subject: Subject) -> None:
    numbers(database, subject, 3)
    limit = database.pool_stats().limit
    statement, parameters = subject.rows(3)
    for proxy in subject.proxies:
        proxy.mode = "hang"
    with ThreadPoolExecutor(limit) as pool:
        waiting = [pool.submit(database.query, statement, parameters, timeout_seconds=30, max_rows=10) for _ in range(limit)]
        while sum(len(proxy.left_waiting) for proxy in subject.proxies) < limit:
            assert not any(each.done() for each in waiting)
            time.sleep(0.005)
        assert database.pool_stats().in_use == limit
        for proxy in subject.proxies:
            proxy.mode = "pass"
        assert database.ping(30).version
        assert database.pool_stats().in_use > 0
        for proxy in subject.proxies:
            proxy.drop_all()


def test_a_child_process_shares_no_connection(database: Database, subject: Subject) -> None:
    database.ping(5)
    numbers(database, subject, 3)
    before = [proxy.accepted for proxy in subject.proxies]
    child = os.fork()
    if child == 0:
        os._exit(_use_in_child(database, subject))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    after_child = [proxy.accepted for proxy in subject.proxies]
    assert all(now > then for now, then in zip(after_child, before, strict=True))
    assert sorted(numbers(database, subject, 3)) == [1, 2, 3]
    database.ping(5)
    assert [proxy.accepted for proxy in subject.proxies] == after_child


def _use_in_child(database: Database, subject: Subject) -> int:
    try:
        if database.pool_stats().idle:
            return 2
        database.ping(5)
        right = sorted(numbers(database, subject, 3)) == [1, 2, 3]
        database.close()
    except DatabaseError:
        return 3
    except BaseException:  # noqa: BLE001 - nothing of the child may run on as the test runner
        return 4
    return 0 if right else 1
