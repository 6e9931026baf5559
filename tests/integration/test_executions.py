"""Flows run over a real PostgreSQL: order, joins, skipping, results, failures, retries."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import text

from gateway.configuration.errors import CredentialsRefused
from gateway.configuration.model import CopyState
from gateway.errors import GatewayError, InvalidInput, KeyReused, NotFound, Unavailable, UpstreamInvalid
from gateway.executions.errors import ExecutionNotFound, FlowArchived, FlowNotAccepted
from gateway.executions.model import ExecutionStatus, NodeStatus
from gateway.outbound.answer import Answer
from gateway.outbound.errors import UpstreamUnreachable
from gateway.recovery.immediate import ImmediateRecovery
from gateway.recovery.registry import Breakers
from tests.fakes.executions import ExecutionWorld, flow_document
from tests.fakes.upstream import json_answer

SERVICE = {"type": "service", "config": {"service": "prices", "path": "/today"}}


@pytest.fixture
def world(postgres_url: str) -> Iterator[ExecutionWorld]:
    world = ExecutionWorld(postgres_url)
    world.directory.add("prices", 9000)
    yield world
    world.close()


def statuses(view: Any) -> dict[str, str]:
    return {node.id: node.status.value for node in view.nodes}


def test_a_flow_fetches_computes_and_decides(world: ExecutionWorld) -> None:
    world.flows.add(
        flow_document(
            {
                "fetch": SERVICE,
                "compute": {"output": "${nodes.fetch.output.body.close * 2.0}"},
                "buy": {"output": "buy in ${parameters.city}"},
                "sell": {"output": "sell"},
            },
            [("fetch", "compute"), ("compute", "buy", "output > 20.0"), ("compute", "sell", "output <= 20.0")],
            parameters=[{"name": "city", "type": "string", "required": True}],
        )
    )
    world.http.answers = [json_answer({"close": 12.5})]
    view = world.run({"city": "Bonn"})
    assert view.status is ExecutionStatus.COMPLETED
    assert view.result == {"buy": "buy in Bonn"}
    assert statuses(view) == {"fetch": "completed", "compute": "completed", "buy": "completed", "sell": "skipped"}
    assert view.nodes[0].attempts == 1
    assert view.completed_at is not None
    assert view.error is None


def test_a_single_end_gives_its_output_itself(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"a": {"output": 1}, "b": {"output": "${nodes.a.output + 1}"}}, [("a", "b")]))
    assert world.run().result == 2


def test_a_join_runs_once_when_all_its_edges_are_decided(world: ExecutionWorld) -> None:
    nodes = {"a": {"output": 1}, "b": {"output": 2}, "c": {"output": 3}, "sum": {"output": "${nodes.a.output + nodes.b.output}"}}
    world.flows.add(flow_document(nodes, [("a", "sum"), ("b", "sum"), ("c", "sum", "never")]))
    view = world.run()
    assert view.result == 3
    assert view.nodes[3].attempts == 1


def test_skipping_goes_on_through_a_chain_and_a_join_with_one_taken_edge_runs(world: ExecutionWorld) -> None:
    nodes = {name: {"output": name} for name in ("a", "b", "c", "d", "e")}
    world.flows.add(flow_document(nodes, [("a", "b", "never"), ("b", "c"), ("c", "d"), ("a", "e"), ("d", "e")]))
    view = world.run()
    assert statuses(view) == {"a": "completed", "b": "skipped", "c": "skipped", "d": "skipped", "e": "completed"}
    assert view.result == "e"


def test_everything_skipped_completes_without_a_result(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"a": {"output": 1}, "b": {"output": 2}}, [("a", "b", "never")]))
    view = world.run()
    assert view.status is ExecutionStatus.COMPLETED
    assert view.result is None


def test_a_capability_gets_the_outputs_before_it(world: ExecutionWorld) -> None:
    world.directory.add("models", 9001, "llm_prompt")
    world.flows.add(flow_document({"a": {"output": {"n": 1}}, "ask": {"type": "llm_prompt", "config": {"model": "small"}}}, [("a", "ask")]))
    world.http.answers = [json_answer([1, 2])]
    assert world.run().result == [1, 2]
    assert b'"inputs":{"a":{"n":1}}' in (world.http.sent[0].body or b"")


def test_any_text_that_json_can_hold_comes_back(world: ExecutionWorld) -> None:
    awkward = {"nul": "a\x00b", "half": "\ud800", "emoji": "😀", "big": 2**70}
    world.flows.add(flow_document({"fetch": SERVICE}))
    world.http.answers = [json_answer(awkward)]
    assert world.run().result["body"] == {**awkward, "half": "\ufffd"}


def test_a_wide_flow_needs_few_transactions_and_every_node_runs_once(world: ExecutionWorld) -> None:
    names = [f"n{number}" for number in range(300)]
    nodes: dict[str, Any] = {name: {"output": 1} for name in names} | {"end": {"output": "done"}}
    world.flows.add(flow_document(nodes, [(name, "end") for name in names]))
    execution_id = world.start()
    with world.postgres.transaction() as connection:
        assert connection.execute(text("SELECT count(*) FROM outbox")).scalar_one() == 301
    world.pump()
    view = world.executions.get(execution_id)
    assert view.result == "done"
    assert {node.attempts for node in view.nodes} == {1}


def test_a_worker_goes_on_with_any_node_that_is_due(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({f"n{number}": {"output": 1} for number in range(20)}))
    execution_id = world.start()
    world.executions.run_node(execution_id, "n7")
    assert world.executions.get(execution_id).status is ExecutionStatus.COMPLETED
    world.pump()  # the other doorbells find nothing to do
    assert {node.attempts for node in world.executions.get(execution_id).nodes} == {1}


def test_a_long_chain_takes_one_message(world: ExecutionWorld) -> None:
    names = [f"n{number}" for number in range(100)]
    world.flows.add(flow_document({name: {"output": name} for name in names}, list(pairwise(names))))
    execution_id = world.start()
    assert world.pump() <= 3  # one node, and the registry's reports; the clock stands still, so the worker goes on
    assert world.executions.get(execution_id).result == "n99"


# --- failures


def test_a_failed_node_cancels_what_has_not_begun_and_fails_the_execution(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"a": {"output": "${parameters.nothing}"}, "b": {"output": 1}}, [("a", "b")]))
    view = world.run()
    assert view.status is ExecutionStatus.FAILED
    assert statuses(view) == {"a": "failed", "b": "cancelled"}
    assert view.error is not None
    assert view.error["nodeId"] == "a"
    assert view.nodes[0].error == view.error
    assert view.error["code"] == "EXPRESSION_FAILED"


def test_a_node_under_way_finishes_when_another_fails(world: ExecutionWorld) -> None:
    world.flows.add(
        flow_document({"slow": SERVICE, "bad": {"output": "${parameters.nothing}"}, "after": {"output": 1}}, [("slow", "after")])
    )
    execution_id = world.start()

    def fail_meanwhile(*_: Any, **__: Any) -> Answer:
        world.executions.run_node(execution_id, "bad")
        assert world.executions.get(execution_id).status is ExecutionStatus.RUNNING
        return json_answer({"late": True})

    world.http.request = fail_meanwhile  # type: ignore[method-assign]
    world.executions.run_node(execution_id, "slow")
    view = world.executions.get(execution_id)
    assert view.status is ExecutionStatus.FAILED
    assert statuses(view) == {"slow": "completed", "bad": "failed", "after": "cancelled"}


def test_a_condition_without_value_fails_its_node(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"a": {"output": 1}, "b": {"output": 2}}, [("a", "b", "output.price > 1")]))
    assert statuses(world.run()) == {"a": "failed", "b": "cancelled"}


def test_a_retryable_failure_is_tried_again_after_its_delay_and_counted_in_rows(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"fetch": SERVICE}))
    world.http.answers = [UpstreamUnreachable("No connection", sent=False), json_answer({}, status=503), json_answer({"ok": True})]
    execution_id = world.start()
    world.pump()
    view = world.executions.get(execution_id)
    assert (view.nodes[0].status, view.nodes[0].attempts) == (NodeStatus.READY, 1)
    assert view.nodes[0].error is not None
    for _ in range(2):
        world.clock.advance(5)
        world.pump()
    view = world.executions.get(execution_id)
    assert view.status is ExecutionStatus.COMPLETED
    assert view.nodes[0].attempts == 3
    assert view.nodes[0].error is None
    with world.postgres.transaction() as connection:
        outcomes = connection.execute(text("SELECT outcome FROM node_attempts ORDER BY epoch")).scalars().all()
    assert outcomes == ["failed", "failed", "succeeded"]
    assert {sent.headers["Idempotency-Key"] for sent in world.http.sent} == {f"{execution_id}:fetch"}


def test_retry_after_is_honoured(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"fetch": SERVICE}))
    world.http.answers = [json_answer({}, status=429, Retry_After="60"), json_answer({})]
    execution_id = world.start()
    world.pump()
    world.clock.advance(55)
    world.pump()
    assert world.executions.get(execution_id).nodes[0].attempts == 1
    world.clock.advance(6)
    world.pump()
    assert world.executions.get(execution_id).status is ExecutionStatus.COMPLETED


def test_attempts_end_with_the_policy(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"fetch": SERVICE}, retryPolicy={"maxAttempts": 2}))
    world.http.answers = [json_answer({}, status=503)]
    execution_id = world.start()
    for _ in range(5):
        world.pump()
        world.clock.advance(40)
    view = world.executions.get(execution_id)
    assert view.status is ExecutionStatus.FAILED
    assert view.nodes[0].attempts == 2
    assert view.error is not None
    assert view.error["status"] == 503


@pytest.mark.parametrize("node", [SERVICE, {"type": "price_lookup"}])
@pytest.mark.parametrize(
    ("policy", "attempts", "calls"),
    [({"retryPolicy": {"maxAttempts": 1}}, 1, {1}), ({"retryPolicy": {"maxAttempts": 2}}, 2, {2}), ({}, 3, {5, 6, 7, 8, 9})],
)
def test_an_attempt_is_one_call_where_the_flow_says_how_many_there_are(
    world: ExecutionWorld, node: dict[str, Any], policy: dict[str, Any], attempts: int, calls: set[int]
) -> None:
    world.recovery = ImmediateRecovery(Breakers(world.clock), world.clock, sleep=world.clock.advance, roll=lambda: 0.0)
    world.executions = world.another_process()
    world.directory.add("prices", 9000, "price_lookup")
    world.flows.add(flow_document({"fetch": node}, **policy))
    world.http.answers = [json_answer({}, status=503)]
    execution_id = world.start()
    for _ in range(4):
        world.pump()
        world.clock.advance(40)
    assert world.executions.get(execution_id).nodes[0].attempts == attempts
    assert len(world.http.sent) in calls


def test_an_unexpected_status_is_not_tried_again(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"fetch": SERVICE}))
    world.http.answers = [json_answer({}, status=404)]
    view = world.run()
    assert view.status is ExecutionStatus.FAILED
    assert view.nodes[0].attempts == 1


def test_a_crash_in_a_kind_ends_the_node_instead_of_its_worker(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"fetch": SERVICE}))
    world.http.answers = [RuntimeError("a bug")]
    view = world.run()
    assert view.status is ExecutionStatus.FAILED
    assert view.error is not None
    assert "a bug" not in str(view.error)


def test_the_outputs_of_all_nodes_have_one_limit(world: ExecutionWorld) -> None:
    names = [f"n{number}" for number in range(18)]
    world.flows.add(flow_document(dict.fromkeys(names, SERVICE), list(pairwise(names))))
    world.http.answers = [Answer(200, {"content-type": "text/plain"}, b"x" * 1_000_000)]
    view = world.run()
    assert view.error is not None
    assert view.error["code"] == "OUTPUT_TOO_LARGE"


# --- starting


def test_the_definition_is_pinned(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"a": {"output": "old"}}))
    execution_id = world.start()
    world.flows.add(flow_document({"a": {"output": "new"}}, version="2.0.0"))
    world.pump()
    view = world.executions.get(execution_id)
    assert (view.result, view.flow_version) == ("old", "1.0.0")


def test_defaults_are_applied_and_wrong_parameters_are_named(world: ExecutionWorld) -> None:
    world.flows.add(
        flow_document(
            {"a": {"output": "${parameters.n}"}},
            parameters=[{"name": "n", "type": "number", "default": 7}, {"name": "city", "type": "string", "required": True}],
        )
    )
    with pytest.raises(InvalidInput) as raised:
        world.start({"n": "x"})
    assert {each.pointer for each in raised.value.errors} == {"/parameters/n", "/parameters/city"}
    view = world.run({"city": "Bonn"})
    assert view.result == 7
    assert view.parameters == {"n": 7, "city": "Bonn"}


def test_statuses_decide_what_runs(world: ExecutionWorld) -> None:
    document = flow_document({"a": {"output": 1}})
    world.flows.add(document, status="archived")
    with pytest.raises(FlowArchived):
        world.start()
    world.flows.add(document, status="deprecated")
    assert world.run().warnings == ("The flow is deprecated",)
    world.flows.add(document, status="draft")
    assert world.run().warnings == ()


@pytest.mark.parametrize("state", [CopyState.REFUSED, CopyState.CONFLICTED])
def test_what_the_registry_did_not_take_does_not_run(world: ExecutionWorld, state: CopyState) -> None:
    world.flows.add(flow_document({"a": {"output": 1}}))
    world.flows.state, world.flows.problem = state, "its name is taken"
    with pytest.raises(FlowNotAccepted, match="its name is taken"):
        world.start()
    world.flows.state, world.flows.problem = CopyState.PENDING, None
    assert world.run().result == 1


def test_the_same_key_and_body_start_one_execution(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"a": {"output": 1}}, parameters=[{"name": "n", "type": "number"}]))

    def start(n: int, caller: str = "alice") -> Any:
        return world.executions.start("f1", {"n": n}, triggered_by="api", execution_context={}, idempotency_key="k1", caller=caller)

    first, again = start(1), start(1)
    assert (first.created, again.created) == (True, False)
    assert first.execution.id == again.execution.id
    with pytest.raises(KeyReused):
        start(2)
    assert start(2, caller="bob").created
    world.flows.flows.clear()  # the registry is not asked again for what was started
    assert start(1).execution.id == first.execution.id


@pytest.mark.parametrize(
    "bad",
    [
        {"idempotency_key": ""},
        {"idempotency_key": "x" * 256},
        {"idempotency_key": "a\x00"},
        {"triggered_by": "a\nb"},
        {"execution_context": {"x": float("nan")}},
        {"execution_context": {"x": "y" * 2_000_000}},
    ],
)
def test_what_is_stored_beside_the_parameters_is_bounded(world: ExecutionWorld, bad: dict[str, Any]) -> None:
    world.flows.add(flow_document({"a": {"output": 1}}))
    with pytest.raises(InvalidInput):
        world.executions.start("f1", {}, **{"triggered_by": "api", "execution_context": {}, **bad})


def test_unknown_flows_and_executions_are_not_found(world: ExecutionWorld) -> None:
    with pytest.raises(NotFound):
        world.start()
    for unknown in ("nope", "a\x00b", "\ud800"):
        with pytest.raises(ExecutionNotFound):
            world.executions.get(unknown)


def test_history_is_paged_newest_first(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"a": {"output": 1}}))
    ids = []
    for _ in range(3):
        ids.append(world.start())
        world.clock.advance(1)
    world.executions.run_node(ids[0], "a")
    page = world.executions.list_for_flow("f1", limit=2)
    assert [each.id for each in page.executions] == [ids[2], ids[1]]
    assert page.total == 3
    completed = world.executions.list_for_flow("f1", status=ExecutionStatus.COMPLETED)
    assert [each.id for each in completed.executions] == [ids[0]]


def test_a_waiter_is_told_when_the_execution_ends(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"a": {"output": 1}}))
    execution_id = world.start()
    assert world.executions.wait(execution_id, 0.01).status is ExecutionStatus.RUNNING
    world.pump()
    assert world.executions.wait(execution_id, 10).status is ExecutionStatus.COMPLETED
    with pytest.raises(ExecutionNotFound):
        world.executions.wait("nope", 10)


# --- reports


def test_the_registry_is_told_of_start_and_end_in_this_order(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"a": {"output": {"n": 1}}}))
    view = world.run()
    assert world.reports.told == [("started", view.id), ("completed", view.id)]
    assert world.reports.changes[0].result == {"n": 1}
    world.executions.report(view.id)
    assert len(world.reports.told) == 2


def test_a_registry_that_is_down_loses_nothing_and_delays_nothing(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"a": {"output": "${parameters.nothing}"}}))
    world.reports.error = Unavailable("The Configuration Service does not answer")
    view = world.run()
    assert view.status is ExecutionStatus.FAILED
    for _ in range(30):
        world.clock.advance(300)
        world.pump()
    assert world.reports.told == []
    world.reports.error = None
    world.clock.advance(300)
    world.pump()
    assert world.reports.told == [("started", view.id), ("failed", view.id)]
    assert world.reports.changes[0].error_message


@pytest.mark.parametrize("error", [CredentialsRefused("The gateway's credentials are refused"), UpstreamInvalid("An answer without an id")])
def test_a_registry_that_an_operator_has_to_mend_is_told_once_it_is(world: ExecutionWorld, error: GatewayError) -> None:
    world.flows.add(flow_document({"a": {"output": 1}}))
    world.reports.error = error
    view = world.run()
    world.reports.error = None
    world.clock.advance(300)
    world.pump()
    assert world.reports.told == [("started", view.id), ("completed", view.id)]


def test_a_registry_that_keeps_no_record_of_a_draft_is_left_alone(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"a": {"output": 1}}))
    world.reports.keeps_records = False
    view = world.run()
    assert world.reports.told == [("started", view.id)]


def test_a_registry_that_stays_away_for_a_week_is_given_up(world: ExecutionWorld) -> None:
    world.flows.add(flow_document({"a": {"output": 1}}))
    world.reports.error = Unavailable("The Configuration Service does not answer")
    world.run()
    world.clock.advance(8 * 86400)
    world.pump()
    world.reports.error = None
    world.clock.advance(86400)
    assert world.pump() == 0
    assert world.reports.told == []
