"""Every exception class of every driver has an answer of ours. A new driver version that brings another must be looked at first."""

import inspect
from collections.abc import Iterable
from types import ModuleType

import psycopg2
import psycopg2.errors
import pytest
import redis.exceptions
import sqlalchemy.exc
from arango import exceptions as arango_exceptions
from clickhouse_driver import errors as clickhouse_vendor
from clickhouse_driver.errors import ErrorCodes

from gateway.databases import arango_errors, clickhouse_errors, postgres_errors, redis_errors, weaviate_errors
from gateway.databases.errors import DatabaseError

# ClickHouse's codes as clickhouse-driver 0.2.11 lists them, all looked at; those not in CODE_RULES are the engine's own failures.
REVIEWED_CODES = clickhouse_errors._numbers(
    "1-4 6-13 15-117 119-135 137-174 176-244 246-248 250-258 260-275 277-309 317-319 321 335-337 341 342 344-347 349-397 441 999-1002 "
    "2001 2002"
)
# Classes of psycopg2 that derive from none of PEP 249's: looked at, rare, answered as PostgreSQL's own failure.
REVIEWED_PSYCOPG2 = [
    "DatabaseError",
    "DiagnosticsException",
    "Error",
    "InvalidArgumentForXquery",
    "InvalidGrantOperation",
    "InvalidGrantor",
    "InvalidLocatorSpecification",
    "InvalidRoleSpecification",
    "InvalidTransactionInitiation",
    "LocatorException",
    "NoAdditionalDynamicResultSetsReturned",
    "NoData",
    "SnapshotTooOld",
    "SqlStatementNotYetComplete",
    "StackedDiagnosticsAccessedWithoutActiveHandler",
    "TriggeredActionException",
]
NEVER_RAISED = {"EmulatedDBAPIException"}


def classes(module: ModuleType) -> list[type[BaseException]]:
    return [
        kind
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Exception) and kind.__module__ == module.__name__
    ]


def missing(kinds: Iterable[type[BaseException]], mapped: Iterable[type[BaseException]]) -> list[str]:
    return sorted(kind.__name__ for kind in set(kinds) - set(mapped))


@pytest.mark.parametrize(
    ("module", "rules"),
    [
        (redis.exceptions, redis_errors.CLASS_RULES),
        (clickhouse_vendor, clickhouse_errors.CLASS_RULES),
        (weaviate_errors.vendor, weaviate_errors.CLASS_RULES),
    ],
    ids=["redis", "clickhouse_driver", "weaviate"],
)
def test_every_class_of_the_driver_is_mapped_by_itself(module: ModuleType, rules: Iterable[type[BaseException]]) -> None:
    assert missing(classes(module), rules) == []


def test_every_class_of_python_arango_is_a_server_or_a_client_error() -> None:
    """They are told apart by errorNum and status, not by class: 180 of them name the call that failed."""
    strangers = [
        kind.__name__
        for kind in classes(arango_exceptions)
        if not issubclass(kind, arango_exceptions.ArangoServerError | arango_exceptions.ArangoClientError)
        and kind not in arango_errors.CLASS_RULES
    ]
    assert strangers == []


def test_every_class_of_psycopg2_has_a_mapped_base() -> None:
    named = [kind for _, kind in inspect.getmembers(psycopg2.errors, inspect.isclass) if issubclass(kind, psycopg2.Error)]
    assert len(named) > 200
    pep_249 = {base for base in postgres_errors.CLASS_RULES if base not in {psycopg2.Error, psycopg2.DatabaseError}}
    assert sorted(kind.__name__ for kind in named if not pep_249 & set(kind.__mro__)) == REVIEWED_PSYCOPG2


def test_every_class_of_sqlalchemy_is_mapped() -> None:
    """Those of the database by themselves; those about SQLAlchemy's own use, bugs of ours, by their base."""
    of_the_database = [kind for kind in classes(sqlalchemy.exc) if issubclass(kind, sqlalchemy.exc.DBAPIError)]
    assert missing(of_the_database, postgres_errors.CLASS_RULES) == []
    others = [kind for kind in classes(sqlalchemy.exc) if not issubclass(kind, Warning | sqlalchemy.exc.SQLAlchemyError)]
    assert {kind.__name__ for kind in others} == NEVER_RAISED


def test_every_code_of_clickhouse_was_looked_at() -> None:
    codes = {value for name, value in vars(ErrorCodes).items() if name.isupper()}
    assert sorted(codes - REVIEWED_CODES) == []


@pytest.mark.parametrize(
    "rules",
    [
        redis_errors.CLASS_RULES,
        clickhouse_errors.CLASS_RULES,
        weaviate_errors.CLASS_RULES,
        arango_errors.CLASS_RULES,
        postgres_errors.CLASS_RULES,
    ],
)
def test_every_rule_makes_an_error_of_ours(rules: dict[type[BaseException], tuple[type[DatabaseError], str]]) -> None:
    for kind, detail in rules.values():
        error = kind("postgres", detail.format(engine="It"), vendor_code="x")
        assert (error.database, error.vendor_code, bool(error.detail)) == ("postgres", "x", True)
