"""Which of gunicorn's errors are the client's fault, and what it is told."""

import pytest
from gunicorn.http import errors

from config.answering import REFUSALS, broken_request
from config.broken_request import BrokenRequest

SECRET = "what the client sent"


@pytest.mark.parametrize("kind", [kind for kind, _, _ in REFUSALS], ids=lambda kind: kind.__name__)
def test_a_refusal_repeats_nothing_of_the_request(kind: type[Exception]) -> None:
    error = kind() if kind is errors.InvalidSchemeHeaders else kind(SECRET)
    refused = broken_request(error)
    assert refused is not None
    assert SECRET not in refused.detail
    assert 400 <= refused.status <= 501


def test_a_framing_header_is_named() -> None:
    refused = broken_request(errors.InvalidHeader("CONTENT-LENGTH"))
    assert refused is not None
    assert "Content-Length" in refused.detail


def test_every_error_of_the_parser_has_its_answer() -> None:
    """A new version of gunicorn may bring another one."""
    applications = {errors.ConfigurationProblem, errors.InvalidResponseHeader, errors.InvalidResponseHeaderName}
    ours = {kind for kind, _, _ in REFUSALS} | applications
    unasked = {errors.ParseException, errors.InvalidH2CPreface}  # the base; HTTP/2, which is off
    known = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.ParseException)}
    assert known - unasked - ours == set()


@pytest.mark.parametrize(
    "error", [errors.InvalidResponseHeader("X"), errors.InvalidResponseHeaderName("X"), errors.ConfigurationProblem("x"), KeyError("x")]
)
def test_what_the_application_did_is_not_the_clients_fault(error: Exception) -> None:
    assert broken_request(error) is None


def test_ours_stays_what_it_is() -> None:
    error = BrokenRequest("late", status=408)
    assert broken_request(error) is error
