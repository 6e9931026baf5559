"""What is wrong with a statement is said in words of our own, beside a pointer to it."""

import pytest

from config.settings import Settings
from gateway.databases.errors import StatementInvalid
from gateway.databases.pool import Databases


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("SELECT 1 FORM x", "is not PostgreSQL's SQL"),
        ("SELECT surname FROM (SELECT 1 AS name) AS people", "names a column that does not exist"),
        ("SELECT * FROM nobody", "names a table that does not exist"),
        ("SELECT nothing(1)", "calls a function or operator that does not exist"),
        ("SELECT 1 / 0", "divides by zero"),
        ("SELECT CAST('x' AS int)", "does not have the form of its type"),
    ],
)
def test_postgres_says_what_is_wrong(postgres_url: str, statement: str, words: str) -> None:
    databases = Databases(Settings.from_environment({"DATABASE_URL": postgres_url}))
    with pytest.raises(StatementInvalid) as caught:
        databases.postgres.query(statement, {}, timeout_seconds=10, max_rows=1)
    databases.close()
    assert words in caught.value.detail
    assert [each.pointer for each in caught.value.errors] == ["/statement"]


def test_a_missing_parameter_is_pointed_at(postgres_url: str) -> None:
    databases = Databases(Settings.from_environment({"DATABASE_URL": postgres_url}))
    with pytest.raises(StatementInvalid) as caught:
        databases.postgres.query("SELECT CAST(:amount AS int)", {}, timeout_seconds=10, max_rows=1)
    databases.close()
    assert [each.pointer for each in caught.value.errors] == ["/parameters/amount"]
