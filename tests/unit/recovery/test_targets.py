"""What speaks against a target, and what does not."""

import pytest

from gateway.configuration.errors import ConfigurationUnavailable
from gateway.databases.errors import (
    DatabasePoolExhausted,
    DatabaseReadOnly,
    DatabaseTimeout,
    DatabaseUnreachable,
    StatementInvalid,
)
from gateway.errors import NotFound
from gateway.executions.errors import AnswerUnexpected, ServiceOverloaded
from gateway.outbound.errors import CallTimedOut, RequestInvalid, UpstreamUnreachable
from gateway.recovery.breaker import BreakerOpen
from gateway.recovery.breaker_model import Outcome
from gateway.recovery.classify import classify
from gateway.recovery.model import FaultType
from gateway.recovery.targets import judge_of, refuse


@pytest.mark.parametrize(
    ("error", "seconds", "outcome"),
    [
        (DatabaseUnreachable("postgres", "x"), 0.1, Outcome.FAILURE),
        (DatabaseUnreachable("redis", "another one"), 0.1, Outcome.SUCCESS),
        (DatabaseTimeout("postgres", "x"), 2.0, Outcome.FAILURE),
        (DatabaseTimeout("postgres", "x", vendor_code="57014"), 2.0, Outcome.FAILURE),
        (DatabaseReadOnly("postgres", "x"), 0.1, Outcome.SUCCESS),
        (DatabasePoolExhausted("postgres", "x"), 2.0, Outcome.NOTHING),
        (StatementInvalid("postgres", "x"), 0.1, Outcome.SUCCESS),
        (NotFound("x"), 0.1, Outcome.SUCCESS),
        (KeyboardInterrupt(), 0.1, Outcome.NOTHING),
    ],
)
def test_only_failing_infrastructure_speaks_against_a_database(error: BaseException, seconds: float, outcome: Outcome) -> None:
    assert judge_of("database:postgres").of_error(error, seconds) is outcome


@pytest.mark.parametrize(
    ("error", "seconds", "outcome"),
    [
        (DatabaseTimeout("postgres", "x"), 2.0, Outcome.FAILURE),
        (DatabaseTimeout("postgres", "x"), 0.1, Outcome.NOTHING),
        (DatabaseTimeout("postgres", "x", vendor_code="57014"), 2.0, Outcome.SUCCESS),
        (DatabaseUnreachable("postgres", "x"), 0.1, Outcome.FAILURE),
    ],
)
def test_a_callers_own_slow_statement_does_not(error: BaseException, seconds: float, outcome: Outcome) -> None:
    judge = judge_of("database:postgres", callers_own=True)
    assert judge.of_error(error, seconds) is outcome
    assert not judge.by_time


@pytest.mark.parametrize(
    ("error", "seconds", "outcome"),
    [
        (UpstreamUnreachable("x", sent=False), 0.1, Outcome.FAILURE),
        (CallTimedOut("x", sent=True), 2.0, Outcome.FAILURE),
        (CallTimedOut("x", sent=True), 0.05, Outcome.NOTHING),
        (ServiceOverloaded("x", service="prices", status=503), 0.1, Outcome.FAILURE),
        (ServiceOverloaded("x", service="prices", status=429), 0.1, Outcome.SUCCESS),
        (AnswerUnexpected("x", service="prices", status=500), 0.1, Outcome.FAILURE),
        (AnswerUnexpected("x", service="prices", status=404), 0.1, Outcome.SUCCESS),
        (ConfigurationUnavailable("x"), 0.1, Outcome.FAILURE),
        (ConfigurationUnavailable("x", status=503), 0.1, Outcome.FAILURE),
        (ConfigurationUnavailable("x", status=429), 0.1, Outcome.SUCCESS),
        (RequestInvalid("x"), 0.1, Outcome.SUCCESS),
        (ValueError(), 0.1, Outcome.NOTHING),
    ],
)
def test_a_service_is_judged_by_what_it_can_help(error: BaseException, seconds: float, outcome: Outcome) -> None:
    assert judge_of("service:prices").of_error(error, seconds) is outcome


def test_a_database_that_is_not_called_fails_as_one_that_cannot_be_reached() -> None:
    with pytest.raises(DatabaseUnreachable) as refused:
        raise refuse("database:postgres", 2.5)
    assert isinstance(refused.value, BreakerOpen)
    assert (refused.value.database, refused.value.retry_after_seconds) == ("postgres", 2.5)
    fault = classify(refused.value)
    assert (fault.type, fault.target, fault.retryable) == (FaultType.DATABASE_CONNECTION, "database:postgres", True)


def test_the_platforms_configuration_service_answers_500_to_an_id_that_is_taken() -> None:
    judge = judge_of("service:configuration-service")
    assert judge.of_error(ConfigurationUnavailable("x", status=500), 0.1) is Outcome.SUCCESS
    assert judge.of_error(ConfigurationUnavailable("x", status=503), 0.1) is Outcome.FAILURE
