"""Classifying: facts before prose, one table of cases per engine."""

import errno
import socket

import clickhouse_driver.errors
import psycopg2
import pytest
import redis.exceptions
import urllib3.exceptions
from arango.exceptions import AQLQueryExecuteError
from arango.request import Request
from arango.response import Response
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import Conflict as WerkzeugConflict
from werkzeug.exceptions import NotFound as WerkzeugNotFound

from gateway.databases.errors import (
    DatabaseAuthenticationFailed,
    DatabaseDisabled,
    DatabaseFailed,
    DatabasePoolExhausted,
    DatabaseReadOnly,
    DatabaseTimeout,
    DatabaseUnreachable,
    StatementConflict,
    StatementInvalid,
)
from gateway.databases.weaviate_client import exceptions as weaviate
from gateway.errors import (
    Conflict,
    FieldError,
    Forbidden,
    GatewayError,
    InvalidInput,
    KeyReused,
    NotFound,
    RateLimited,
    Unauthenticated,
    Unavailable,
    UpstreamInvalid,
    UpstreamTimeout,
)
from gateway.executions.errors import AnswerUnexpected, ServiceOverloaded
from gateway.flows.errors import ExpressionFailed
from gateway.recovery.breaker import BreakerOpen
from gateway.recovery.classify import UNEXPECTED, classify
from gateway.recovery.model import Category, Fault, FaultType, FlowOrigin, Severity
from gateway.recovery.rules import Verdict

T = FaultType
PLATFORM_TYPES = {
    "DATABASE_CONNECTION_ERROR": ("high", "infrastructure"),
    "AUTHENTICATION_ERROR": ("medium", "security"),
    "RATE_LIMIT_ERROR": ("low", "throttling"),
    "SERVICE_DISCOVERY_ERROR": ("high", "service_mesh"),
    "VALIDATION_ERROR": ("low", "validation"),
    "UNKNOWN_ERROR": ("medium", "unknown"),
}


class DiscoveryFailed(NotFound):
    code = "SERVICE_DISCOVERY_ERROR"
    service = "prices"


class PgError(psycopg2.Error):
    def __init__(self, sqlstate: str) -> None:
        super().__init__(f"ERROR: {sqlstate}")
        self._sqlstate = sqlstate

    @property
    def pgcode(self) -> str:  # type: ignore[override]
        return self._sqlstate


def arango(status: int, number: int | None) -> AQLQueryExecuteError:
    response = Response("post", "http://db:8529/_api/cursor", {}, status, "status", "")
    response.error_code, response.error_message = number, "words that nobody reads"
    return AQLQueryExecuteError(response, Request("post", "/_api/cursor"))


@pytest.mark.parametrize(("name", "traits"), PLATFORM_TYPES.items())
def test_the_platforms_types_keep_name_severity_and_category(name: str, traits: tuple[str, str]) -> None:
    kind = FaultType(name)
    assert (kind.severity.value, kind.category.value) == traits


def test_every_type_has_traits() -> None:
    for kind in FaultType:
        assert isinstance(kind.severity, Severity)
        assert isinstance(kind.category, Category)


@pytest.mark.parametrize(
    ("error", "expected", "retryable"),
    [
        (DatabaseUnreachable("clickhouse", "x"), T.DATABASE_CONNECTION, True),
        (DatabaseAuthenticationFailed("arangodb", "x"), T.DATABASE_CONNECTION, False),
        (DatabaseReadOnly("postgres", "x", vendor_code="25006"), T.DATABASE_CONNECTION, True),
        (DatabasePoolExhausted("postgres", "x"), T.DATABASE_CONNECTION, True),
        (DatabaseTimeout("weaviate", "x"), T.DATABASE_CONNECTION, True),
        (DatabaseTimeout("postgres", "x", vendor_code="57014"), T.TIMEOUT, True),
        (DatabaseTimeout("clickhouse", "x", vendor_code="159"), T.TIMEOUT, True),
        (StatementConflict("postgres", "x", vendor_code="40001"), T.CONFLICT, True),
        (StatementConflict("postgres", "x", vendor_code="23505"), T.CONFLICT, False),
        (StatementInvalid("postgres", "x", vendor_code="42P01"), T.VALIDATION, False),
        (DatabaseFailed("clickhouse", "x", vendor_code="202"), T.RATE_LIMIT, True),
        (DatabaseFailed("redis", "x"), T.UNKNOWN, False),
        (DatabaseDisabled("x"), T.CONFLICT, False),
        (BreakerOpen("database:clickhouse", 3), T.DATABASE_CONNECTION, True),
        (BreakerOpen("service:prices", 3), T.UPSTREAM, True),
        (InvalidInput("x"), T.VALIDATION, False),
        (KeyReused("x"), T.VALIDATION, False),
        (NotFound("x"), T.NOT_FOUND, False),
        (Conflict("x"), T.CONFLICT, False),
        (Unauthenticated("x"), T.AUTHENTICATION, False),
        (Forbidden("x"), T.AUTHORIZATION, False),
        (RateLimited("x"), T.RATE_LIMIT, True),
        (Unavailable("x"), T.UPSTREAM, True),
        (UpstreamInvalid("x"), T.UPSTREAM, False),
        (UpstreamTimeout("x"), T.TIMEOUT, True),
        (DiscoveryFailed("x"), T.SERVICE_DISCOVERY, False),
        (ExpressionFailed("x"), T.FLOW, False),
        (GatewayError("x"), T.UNKNOWN, False),
    ],
)
def test_our_own_types_are_known_for_sure(error: GatewayError, expected: FaultType, retryable: bool) -> None:
    fault = classify(error)
    assert (fault.type, fault.retryable) == (expected, retryable)
    assert fault.detail == "x" or isinstance(error, BreakerOpen)


@pytest.mark.parametrize(
    ("error", "source", "expected", "retryable", "code"),
    [
        (PgError("08006"), None, T.DATABASE_CONNECTION, True, "08006"),
        (PgError("57P01"), None, T.DATABASE_CONNECTION, True, "57P01"),
        (PgError("57014"), None, T.TIMEOUT, True, "57014"),
        (PgError("40P01"), None, T.CONFLICT, True, "40P01"),
        (PgError("23505"), None, T.CONFLICT, False, "23505"),
        (PgError("42P01"), None, T.VALIDATION, False, "42P01"),
        (PgError("42501"), None, T.AUTHORIZATION, False, "42501"),
        (PgError("28P01"), None, T.DATABASE_CONNECTION, False, "28P01"),
        (PgError("53300"), None, T.DATABASE_CONNECTION, True, "53300"),
        (DBAPIError("SELECT 1", {}, PgError("40001")), None, T.CONFLICT, True, "40001"),
        (
            OperationalError("SELECT 1", {}, psycopg2.OperationalError("server closed the connection")),
            None,
            T.DATABASE_CONNECTION,
            True,
            None,
        ),
        (PoolTimeout("QueuePool limit of size 8"), None, T.DATABASE_CONNECTION, True, None),
        (clickhouse_driver.errors.ServerException("DB::Exception: x", 60), None, T.VALIDATION, False, "60"),
        (clickhouse_driver.errors.ServerException("DB::Exception: x", 241), None, T.DATABASE_CONNECTION, True, "241"),
        (clickhouse_driver.errors.ServerException("DB::Exception: x", 159), None, T.TIMEOUT, True, "159"),
        (clickhouse_driver.errors.ServerException("DB::Exception: x", 516), None, T.DATABASE_CONNECTION, False, "516"),
        (clickhouse_driver.errors.ServerException("DB::Exception: x", 164), None, T.AUTHORIZATION, False, "164"),
        (clickhouse_driver.errors.NetworkError("refused"), None, T.DATABASE_CONNECTION, True, "210"),
        (redis.exceptions.ConnectionError("Error 111"), "dragonflydb", T.DATABASE_CONNECTION, True, None),
        (redis.exceptions.TimeoutError("Timeout"), "dragonflydb", T.DATABASE_CONNECTION, True, None),
        (redis.exceptions.BusyLoadingError("loading", status_code="LOADING"), "redis", T.DATABASE_CONNECTION, True, "LOADING"),
        (redis.exceptions.AuthenticationError("x", status_code="WRONGPASS"), "redis", T.DATABASE_CONNECTION, False, "WRONGPASS"),
        (redis.exceptions.ResponseError("WRONGTYPE Operation against a key"), "redis", T.VALIDATION, False, "WRONGTYPE"),
        (redis.exceptions.ResponseError("MISCONF Errors writing to disk"), "redis", T.DATABASE_CONNECTION, True, "MISCONF"),
        (arango(409, 1200), None, T.CONFLICT, True, "1200"),
        (arango(404, 1203), None, T.NOT_FOUND, False, "1203"),
        (arango(400, 1501), None, T.VALIDATION, False, "1501"),
        (arango(401, None), None, T.DATABASE_CONNECTION, False, "401"),
        (arango(503, None), None, T.DATABASE_CONNECTION, True, "503"),
        (weaviate.WeaviateConnectionError("no"), None, T.DATABASE_CONNECTION, True, None),
        (weaviate.WeaviateTimeoutError("slow"), None, T.DATABASE_CONNECTION, True, None),
        (weaviate.WeaviateInvalidInputError("bad"), None, T.VALIDATION, False, None),
        (urllib3.exceptions.ProtocolError("broken"), None, T.UPSTREAM, True, None),
        (WerkzeugNotFound(), None, T.NOT_FOUND, False, "404"),
        (WerkzeugConflict(), None, T.CONFLICT, False, "409"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), None, T.UPSTREAM, True, "ECONNREFUSED"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "clickhouse", T.DATABASE_CONNECTION, True, "ECONNREFUSED"),
        (socket.gaierror(-2, "Name or service not known"), None, T.UPSTREAM, True, "EAI"),
        (TimeoutError("timed out"), None, T.TIMEOUT, True, "ETIMEDOUT"),
        (RuntimeError("who knows"), None, T.UNKNOWN, False, None),
    ],
)
def test_foreign_errors_are_judged_by_code_then_type(
    error: BaseException, source: str | None, expected: FaultType, retryable: bool, code: str | None
) -> None:
    fault = classify(error, source=source)
    assert (fault.type, fault.retryable, fault.vendor_code) == (expected, retryable, code)
    assert fault.detail == UNEXPECTED


def test_text_is_believed_last_and_least() -> None:
    class Nameless(Exception):
        pass

    fault = classify(Nameless("connection refused by peer"), source="arangodb")
    assert (fault.type, fault.confidence) == (T.DATABASE_CONNECTION, 0.5)


def test_what_was_learned_is_asked_when_no_table_knows() -> None:
    asked: list[tuple[str, str]] = []

    def learned(source: str, kernel: str) -> Verdict | None:
        asked.append((source, kernel))
        return Verdict(FaultType.DATABASE_CONNECTION, retryable=True) if source == "postgres" else None

    fault = classify(psycopg2.Error("the moon of 10.0.0.7 is full"), learned=learned)
    assert (fault.type, fault.retryable, fault.confidence) == (FaultType.DATABASE_CONNECTION, True, 0.3)
    assert classify(RuntimeError("the moon is full"), learned=learned).type is FaultType.UNKNOWN
    assert classify(psycopg2.OperationalError("the connection was reset by peer"), learned=learned).confidence >= 0.5
    assert asked == [("postgres", "the moon of <*> is full"), ("unknown", "the moon is full")]


def test_a_wrapped_driver_error_lends_its_code_to_our_own() -> None:
    error = DatabaseUnreachable("postgres", "PostgreSQL cannot be reached")
    error.__cause__ = PgError("08006")
    fault = classify(error)
    assert (fault.vendor_code, fault.target, fault.confidence) == ("08006", "database:postgres", 1.0)
    assert "PgError" in fault.error_class


def test_what_a_service_answered_tells_its_faults_apart() -> None:
    def answered(status: int) -> Fault:
        kind = ServiceOverloaded if status == 503 else AnswerUnexpected
        return classify(kind(f"Service 'prices' answered {status}", service="prices", status=status))

    assert (answered(503).type, answered(503).retryable, answered(503).vendor_code) == (FaultType.UPSTREAM, True, "503")
    assert (answered(400).type, answered(400).retryable, answered(400).vendor_code) == (FaultType.UPSTREAM, False, "400")
    assert answered(503).fingerprint != answered(400).fingerprint


def test_one_of_ours_below_a_stranger_is_found() -> None:
    stranger = RuntimeError("outer")
    stranger.__cause__ = NotFound("inner")
    assert classify(stranger).type is T.NOT_FOUND


def test_fields_waiting_time_and_origin_are_kept() -> None:
    problem = FieldError("/nodes/0/id", "is required")
    origin = FlowOrigin("prices", "e1", "fetch")
    assert classify(InvalidInput("x", [problem])).errors == (problem,)
    assert classify(Unavailable("x", retry_after_seconds=2), origin=origin).retry_after_seconds == 2
    assert classify(Unavailable("x"), origin=origin).origin == origin


def test_the_target_is_a_database_or_a_service() -> None:
    assert classify(DatabaseUnreachable("redis", "x")).target == "database:redis"
    assert classify(DiscoveryFailed("x")).target == "service:prices"
    assert classify(ValueError("x"), target="service:prices").target == "service:prices"
    assert classify(ValueError("x")).target is None


def test_hostile_errors_are_survived() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise ValueError("even this fails")

    circular = RuntimeError("a")
    circular.__cause__ = RuntimeError("b")
    circular.__cause__.__cause__ = circular
    for error in (Broken(), circular, RuntimeError("\x00\ud800" * 50), RuntimeError("a:" * 100_000), KeyboardInterrupt()):
        assert classify(error).type is T.UNKNOWN
