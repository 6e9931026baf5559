from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from gateway.errors import GatewayError
from gateway.executions.errors import NodeLost, OutputNotJson, OutputTooLarge, ServiceOverloaded
from gateway.executions.model import (
    ACTIONS,
    ENDED,
    LEGAL_EXECUTION,
    LEGAL_NODE,
    NODE_ENDED,
    ExecutionAction,
    ExecutionStatus,
    NodeStatus,
    NodeView,
    is_repeated,
    milliseconds_between,
    possible_actions,
    ready_in,
    sources_of,
)
from gateway.executions.postgres import is_storable, result_of
from gateway.executions.problem import problem_of
from gateway.executions.reporting import MAX_DELAY_SECONDS
from gateway.executions.reporting import delay_seconds as report_delay_seconds
from gateway.executions.runner import measure
from gateway.executions.settling import delay_seconds
from gateway.flows.errors import ExpressionFailed
from gateway.flows.model import RetryPolicy
from gateway.recovery.classify import classify

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def node(node_id: str, status: NodeStatus = NodeStatus.COMPLETED, output: object = None) -> NodeView:
    return NodeView(node_id, node_id, "transform", status, output=output)


def test_only_a_retry_follows_upon_an_end() -> None:
    for status in ENDED:
        assert LEGAL_EXECUTION.get(status, frozenset()) <= {ExecutionStatus.RUNNING}
    for node in NODE_ENDED:
        assert LEGAL_NODE.get(node, frozenset()) <= {NodeStatus.PENDING, NodeStatus.READY, NodeStatus.SKIPPED}
    assert ExecutionStatus.COMPLETED not in LEGAL_EXECUTION
    assert not {NodeStatus.COMPLETED, NodeStatus.SKIPPED} & set(LEGAL_NODE)


def test_every_legal_change_is_an_action_or_the_end_of_a_node() -> None:
    by_action = {(source, target) for sources, target in ACTIONS.values() for source in sources}
    under_way = {ExecutionStatus.RUNNING, ExecutionStatus.PAUSED}
    by_nodes = {(source, target) for source in under_way for target in (ExecutionStatus.COMPLETED, ExecutionStatus.FAILED)}
    assert by_action | by_nodes == {(source, target) for source, targets in LEGAL_EXECUTION.items() for target in targets}


@pytest.mark.parametrize(
    ("status", "possible", "repeated"),
    [
        ("running", ["cancel", "pause"], ["resume"]),
        ("paused", ["cancel", "resume"], ["pause"]),
        ("completed", [], []),
        ("failed", ["retry"], []),
        ("cancelled", ["retry"], ["cancel"]),
    ],
)
def test_what_a_client_may_do(status: str, possible: list[str], repeated: list[str]) -> None:
    assert list(possible_actions(ExecutionStatus(status))) == possible
    assert [action for action in ExecutionAction if is_repeated(action, ExecutionStatus(status))] == repeated


def test_what_could_run_is_paused_with_its_execution() -> None:
    assert (ready_in(ExecutionStatus.PAUSED), ready_in(ExecutionStatus.RUNNING)) == (NodeStatus.PAUSED, NodeStatus.READY)


def test_only_a_running_node_completes() -> None:
    assert sources_of(NodeStatus.COMPLETED) == (NodeStatus.RUNNING,)


def test_the_result_is_the_output_of_the_last_node() -> None:
    assert result_of([node("a", output=1), node("b", output=2)], {"b"}) == 2


def test_several_ends_give_each_its_output_and_skipped_ones_give_none() -> None:
    nodes = [node("a", output=1), node("b", output=2), node("c", NodeStatus.SKIPPED)]
    assert result_of(nodes, {"b", "c"}) == {"b": 2}


def test_a_skipped_single_end_gives_null() -> None:
    assert result_of([node("a", NodeStatus.SKIPPED)], {"a"}) is None


def test_durations_are_whole_milliseconds() -> None:
    assert milliseconds_between(NOW, NOW + timedelta(seconds=1.2344)) == 1234
    assert milliseconds_between(NOW, None) is None


def test_an_output_has_a_size_and_a_limit() -> None:
    assert measure({"a": [1, None]}) == 14
    with pytest.raises(OutputTooLarge):
        measure("x" * (1024 * 1024))
    for impossible in (float("nan"), {1, 2}, {"a": object()}):
        with pytest.raises(OutputNotJson):
            measure(impossible)


@pytest.mark.parametrize(("text", "expected"), [("e1", True), ("\x00", False), ("\ud800", False)])
def test_what_postgresql_cannot_hold_names_nothing(text: str, expected: bool) -> None:
    assert is_storable(text) is expected


def test_a_retry_waits_as_the_policy_says_and_never_shorter_than_asked() -> None:
    policy = RetryPolicy(base_delay=1000, max_delay=4000)
    waits = [delay_seconds(policy, failures, None, Random(7)) for failures in (1, 2, 3, 9)]
    assert all(most / 2 <= wait <= most for wait, most in zip(waits, (1, 2, 4, 4), strict=True))
    assert delay_seconds(policy, 1, 30.0, Random(7)) == 30.0


def test_reports_are_tried_ever_more_seldom() -> None:
    assert [report_delay_seconds(attempts) for attempts in (0, 1, 2, 50)] == [2, 4, 8, MAX_DELAY_SECONDS]


def test_an_error_has_the_shape_of_a_problem() -> None:
    error = ServiceOverloaded("Service 'prices' answered 503", service="prices", status=503)
    problem = problem_of(error, classify(error), execution_id="e1", node_id="fetch")
    assert problem["status"] == 503
    assert problem["code"] == "UPSTREAM_UNAVAILABLE"
    assert problem["type"].startswith("/problems/")
    assert problem["nodeId"] == "fetch"
    assert problem["error"]["retryable"] is True
    assert {"type", "message", "severity", "category", "fingerprint"} <= set(problem["error"])


def test_a_node_that_kills_its_workers_is_not_tried_again() -> None:
    error = NodeLost("The workers that ran this node died, each time")
    assert problem_of(error, classify(error), execution_id="e1", node_id="n")["error"]["retryable"] is False


def test_an_unexpected_error_says_nothing_of_its_text() -> None:
    error = RuntimeError("password=secret")
    problem = problem_of(error, classify(error), execution_id="e1", node_id="n")
    assert problem["status"] == 500
    assert "secret" not in str(problem)


@pytest.mark.parametrize("error", [OutputTooLarge("too large"), OutputNotJson("no JSON"), ExpressionFailed("no value")])
def test_what_a_flow_does_to_itself_is_no_dependencys_fault_and_no_bug(error: GatewayError) -> None:
    problem = problem_of(error, classify(error), execution_id="e1", node_id="n1")
    assert (problem["type"], problem["title"], problem["status"]) == ("/problems/flow", "A flow failed", 422)
    assert (problem["error"]["type"], problem["error"]["retryable"]) == ("FLOW_ERROR", False)
