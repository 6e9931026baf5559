"""The pure parts: types of values, groups of services, ways in the graph, legal states, pages."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from configservice.configuration.model import fits, type_of
from configservice.envelope import moment, pages, window
from configservice.flows.edges import find_way
from configservice.flows.model import ENDED, LEGAL_BEFORE, Execution, ExecutionCounts, ExecutionStatus
from configservice.services.model import Instance, group_by_name

NOON = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "kind"), [(True, "boolean"), (0, "number"), (0.5, "number"), ("", "string"), (None, "json"), ([], "json"), ({}, "json")]
)
def test_types_of_values(value: Any, kind: str) -> None:
    assert type_of(value) == kind
    assert {each for each in ("string", "number", "boolean", "json") if fits(value, each)} == {kind, "json"}


def _instance(name: str, port: int, *, alive: bool, version: str = "1.0.0") -> Instance:
    return Instance(str(port), name, version, "h", port, "http", "/health", (), {}, NOON, alive)


def test_a_service_shows_its_alive_instances_or_else_its_expired_ones() -> None:
    mixed = [_instance("a", 1, alive=False, version="2.0.0"), _instance("a", 2, alive=True), _instance("b", 3, alive=False)]
    services = {each.name: each for each in group_by_name(mixed)}
    assert (services["a"].alive, [each.port for each in services["a"].instances], services["a"].version) == (True, [2], "1.0.0")
    assert (services["b"].alive, [each.port for each in services["b"].instances]) == (False, [3])


def test_the_shortest_way_is_found_and_cycles_end() -> None:
    graph = {"a": ["b", "c"], "b": ["d"], "c": ["goal"], "d": ["goal", "a"]}
    assert find_way(graph, ["a"], "goal") == ["a", "c", "goal"]
    assert find_way(graph, ["goal"], "goal") == ["goal"]
    assert find_way({"a": ["b"], "b": ["a"]}, ["a"], "goal") is None


def test_a_long_chain_needs_no_recursion() -> None:
    chain = {str(number): [str(number + 1)] for number in range(5000)}
    assert len(find_way(chain, ["0"], "5000") or []) == 5001


def test_what_ended_well_is_never_reopened() -> None:
    assert set(LEGAL_BEFORE) == set(ExecutionStatus)
    for status in set(ExecutionStatus) - {ExecutionStatus.COMPLETED}:
        assert ExecutionStatus.COMPLETED not in LEGAL_BEFORE[status]
    for status in ExecutionStatus:
        assert status in LEGAL_BEFORE[status]
        assert (ExecutionStatus.CANCELLED in LEGAL_BEFORE[status]) == (status is ExecutionStatus.CANCELLED)
    assert ExecutionStatus.FAILED in LEGAL_BEFORE[ExecutionStatus.RUNNING]
    assert set(ExecutionStatus) > ENDED


def test_durations_are_milliseconds() -> None:
    execution = Execution("e", "f", ExecutionStatus.COMPLETED, {}, "me", {}, None, None, NOON, NOON + timedelta(seconds=1.5))
    assert execution.duration_ms == 1500


def test_success_rate_is_percent_of_all() -> None:
    assert ExecutionCounts(3, 1, 1, 1, None).success_rate == 33.33
    assert ExecutionCounts(0, 0, 0, 0, None).success_rate == 0


def test_moments_are_as_javascript_writes_them() -> None:
    assert moment(NOON) == "2026-01-01T12:00:00.123Z"
    assert moment(None) is None


def test_pages_and_windows() -> None:
    assert pages(1, 20, 0) == {"page": 1, "limit": 20, "totalCount": 0, "totalPages": 0, "hasNext": False, "hasPrev": False}
    assert pages(2, 20, 41)["hasNext"] is True
    assert window(10, 10, 20) == {"limit": 10, "offset": 10, "totalCount": 20, "hasNext": False, "hasPrev": True}
