"""Every error class of the tree has a status, a known kind of problem, and survives the way to a client."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import gateway
from gateway.api.problems import EDGE_STATUSES, status_of
from gateway.errors import GatewayError
from gateway.recovery.model import FaultType
from gateway.recovery.problem_types import PROBLEM_TYPES

# Raised only where a flow runs or a message is sent: they end in an execution's row or a log line, never in an answer.
NEVER_AT_THE_EDGE = {"ExpressionFailed", "MessageUnroutable", "OutputNotJson", "OutputTooLarge"}
CONTRACT = {400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 502, 503, 504}


def all_error_classes() -> list[type[GatewayError]]:
    """Of every module of the product but the drivers' own, which define none and are heavy to import."""
    for module in pkgutil.walk_packages(gateway.__path__, "gateway."):
        if not module.name.endswith("_driver"):
            importlib.import_module(module.name)
    return sorted(set(descendants(GatewayError)), key=lambda kind: kind.__name__)


def descendants(kind: type[GatewayError]) -> Iterator[type[GatewayError]]:
    for child in kind.__subclasses__():
        if child.__module__.startswith("gateway."):
            yield child
            yield from descendants(child)


ERRORS = all_error_classes()


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_an_error_class_has_a_status_of_the_contract(kind: type[GatewayError]) -> None:
    nearest = next(base for base in kind.__mro__ if base in EDGE_STATUSES)
    if kind.__name__ in NEVER_AT_THE_EDGE or kind.__name__ == "DatabaseError":
        assert nearest is GatewayError
    elif kind.__name__ != "RequestRefused":
        assert EDGE_STATUSES[nearest] in CONTRACT


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_an_error_class_names_a_code(kind: type[GatewayError]) -> None:
    assert kind.code == kind.code.upper()
    assert " " not in kind.code


def test_every_type_of_fault_has_a_page() -> None:
    assert set(PROBLEM_TYPES) == set(FaultType)
    assert len({kind.slug for kind in PROBLEM_TYPES.values()}) == len(PROBLEM_TYPES)


def test_what_is_no_error_of_ours_is_a_bug() -> None:
    assert status_of(KeyError("x")) == 500
