"""Reading definitions: what is accepted, what is refused and where, and that the way back loses nothing."""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from gateway.errors import InvalidInput
from gateway.flows.errors import FlowInvalid
from gateway.flows.parsing import parse_flow, parse_stored_flow, read_shape
from tests.fakes.flow_documents import edge, flow_document, node


def pointers(document: object) -> list[str]:
    with pytest.raises(FlowInvalid) as caught:
        parse_flow(document)
    return [error.pointer for error in caught.value.errors]


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_the_smallest_definition_gets_the_contracts_defaults() -> None:
    flow = parse_flow(flow_document())
    assert (flow.retry_policy.max_attempts, flow.retry_policy.backoff_strategy, flow.retry_policy.max_delay) == (3, "exponential", 30_000)
    assert flow.status is UNSET
    assert flow.edges[0].condition is UNSET


def test_a_definition_goes_back_to_the_wire_as_it_came() -> None:
    document = flow_document(
        description="What it does",
        status="draft",
        nodes=[node("a", config={"output": {"kept": None, "list": [1, None, "x"]}}, position={"x": 1, "y": -2.5}), node("b")],
        parameters=[{"name": "symbol", "type": "string", "required": True}, {"name": "since", "type": "string", "default": None}],
        credentials=[{"key": "prices", "type": "api_key", "required": True, "scope": "read"}],
        dependencies=[{"flowId": "other", "type": "prerequisite", "timeout": 1000}],
        triggers=[{"type": "schedule", "config": {"cron": "0 6 * * *"}, "enabled": False}],
        retryPolicy={"maxAttempts": 5, "backoffStrategy": "linear", "baseDelay": 1000, "maxDelay": 2000},
        tags=["demo"],
        metadata={"owner": {"team": None}},
        environment={"region": "eu"},
    )
    assert parse_flow(document).document == document


def test_what_was_not_given_is_not_written() -> None:
    written = parse_flow(flow_document()).document
    assert written == flow_document()
    assert "status" not in written


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"id": "not an id"}, "/id"),
        ({"id": "x" * 51}, "/id"),
        ({"id": "line\n"}, "/id"),
        ({"name": ""}, "/name"),
        ({"name": 7}, "/name"),
        ({"type": "other"}, "/type"),
        ({"version": "1.0"}, "/version"),
        ({"description": None}, "/description"),
        ({"description": "x" * 1001}, "/description"),
        ({"status": "running"}, "/status"),
        ({"surprise": 1}, "/surprise"),
        ({"created_by": "snake"}, "/created_by"),
        ({"nodes": []}, "/nodes"),
        ({"nodes": "many"}, "/nodes"),
        ({"nodes": [node("a"), 5], "edges": []}, "/nodes/1"),
        ({"nodes": [node("a b")], "edges": []}, "/nodes/0/id"),
        ({"nodes": [node("a", extra=1)], "edges": []}, "/nodes/0/extra"),
        ({"nodes": [node("a"), node("a")], "edges": []}, "/nodes/1/id"),
        ({"nodes": [node("a", position={"x": "1", "y": 2})], "edges": []}, "/nodes/0/position/x"),
        ({"edges": [{"source": "a", "target": "b"}]}, "/edges/0/id"),
        ({"edges": [edge("a", "nowhere")]}, "/edges/0/target"),
        ({"edges": [edge("nowhere", "b")]}, "/edges/0/source"),
        ({"edges": [edge("a", "b"), edge("b", "a")]}, "/edges"),
        ({"edges": [edge("a", "a")]}, "/edges"),
        ({"edges": [edge("a", "b", "output. >")]}, "/edges/0/condition"),
        ({"edges": [edge("a", "b", "unknown.name")]}, "/edges/0/condition"),
        ({"nodes": [node("a", config={"output": {"x/y": ["${1 +}"]}}), node("b")]}, "/nodes/0/config/output/x~1y/0"),
        ({"nodes": [node("a", config={"output": "${never closed"}), node("b")]}, "/nodes/0/config/output"),
        ({"parameters": [{"name": "p", "type": "text"}]}, "/parameters/0/type"),
        ({"parameters": [{"name": "p", "type": "string", "required": "yes"}]}, "/parameters/0/required"),
        ({"parameters": [{"name": "p", "type": "string", "validation": {"pattern": "("}}]}, "/parameters/0/validation/pattern"),
        ({"parameters": [{"name": "p", "type": "string", "validation": {"pattern": r"(\w{50}){50}"}}]}, "/parameters/0/validation/pattern"),
        ({"metadata": {"k" * 1001: 1}}, "/metadata"),
        ({"nodes": [node("a", config={"output": "${'" + "x" * 5000 + "'}"}), node("b")]}, "/nodes/0/config/output"),
        ({"edges": [edge("a", "b", "x" * 5000)]}, "/edges/0/condition"),
        ({"nodes": [node("a", "service", config={"service": "x", "path": "y"}), node("b")]}, "/nodes/0/config/path"),
        ({"retryPolicy": {"maxAttempts": 11}}, "/retryPolicy/maxAttempts"),
        ({"retryPolicy": {"baseDelay": 10}}, "/retryPolicy/baseDelay"),
        ({"retryPolicy": {"maxAttempts": "3"}}, "/retryPolicy/maxAttempts"),
        ({"metadata": {"deep": nested(33)}}, "/metadata/deep" + "/0" * 31),
        ({"metadata": {"n": float("nan")}}, "/metadata/n"),
        ({"metadata": {"text": "a\x00"}}, "/metadata/text"),
        ({"name": "\ud800"}, "/name"),
        ({"tags": ["a", 1]}, "/tags/1"),
    ],
)
def test_a_broken_definition_is_refused_with_a_pointer(fields: dict[str, Any], pointer: str) -> None:
    assert pointer in pointers(flow_document(**fields))


@pytest.mark.parametrize("document", [None, [], "flow", 5, True])
def test_anything_but_an_object_is_refused_as_a_whole(document: object) -> None:
    assert pointers(document) == [""]


def test_required_fields_are_all_named_at_once() -> None:
    assert set(pointers({})) == {"/id", "/name", "/type", "/version", "/createdBy", "/nodes"}


def test_a_list_of_wrong_items_is_not_called_empty() -> None:
    assert set(pointers(flow_document(nodes=[{"id": "a"}], edges=[]))) == {"/nodes/0/name", "/nodes/0/type"}


def test_too_many_nodes_are_counted_and_not_looked_at() -> None:
    with pytest.raises(FlowInvalid) as caught:
        parse_flow(flow_document(nodes=[object()] * 10_000))
    assert [(error.pointer, error.detail) for error in caught.value.errors] == [("/nodes", "holds 10000 items; at most 500 are allowed")]


def test_a_cycle_is_named_as_a_path() -> None:
    with pytest.raises(FlowInvalid, match="a -> b -> a"):
        parse_flow(flow_document(edges=[edge("a", "b"), edge("b", "a")]))


def test_a_chain_of_all_nodes_allowed_is_fine() -> None:
    names = [f"n{index}" for index in range(500)]
    flow = parse_flow(flow_document(nodes=[node(name) for name in names], edges=[edge(a, b) for a, b in itertools.pairwise(names)]))
    assert len(flow.nodes) == 500


def test_expressions_are_limited_over_the_whole_flow() -> None:
    names = [f"n{index}" for index in range(500)]
    crowded = [node(name, config={"output": ["${1 + 1}"] * 5}) for name in names]
    assert pointers(flow_document(nodes=crowded, edges=[]))[-1].startswith("/nodes/")


def test_a_stored_definition_may_carry_more_than_the_language_knows() -> None:
    stored = flow_document(
        createdAt="2026-01-01T00:00:00Z",
        updatedAt=None,
        description=None,
        schedule=None,
        retryPolicy={"maxAttempts": 2, "maxDelay": None, "note": 1},
        nodes=[node("a", position=None, color="red"), node("b")],
        parameters=[{"name": "p", "type": "string", "default": None, "description": None}],
    )
    flow = parse_stored_flow(stored)
    assert flow.description is UNSET
    assert flow.parameters[0].has_default
    assert "createdAt" not in flow.document


def test_a_stored_definition_with_a_cycle_can_be_looked_at_but_not_run() -> None:
    stored = flow_document(edges=[edge("a", "b"), edge("b", "a")], createdAt="now")
    assert read_shape(stored).id == "orders"
    with pytest.raises(FlowInvalid):
        parse_stored_flow(stored)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)
hostile_words = st.sampled_from([*"${}()[]?:.!+-'\"\\ abx1\n/,", "${", "map(x,", "true", "nodes.", "r'", "//"])
hostile_text = st.lists(hostile_words, max_size=60).map("".join)
plain_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00$"), min_size=1, max_size=30)


@given(json_values)
@settings(max_examples=200, deadline=None)
def test_no_json_document_raises_anything_but_invalid_input(document: object) -> None:
    with pytest.raises(InvalidInput):
        parse_flow(document)


@given(st.sampled_from(["nodes", "edges", "parameters", "metadata", "retryPolicy", "triggers", "tags", "id", "schedule"]), json_values)
@settings(max_examples=200, deadline=None)
def test_no_value_of_a_field_raises_anything_but_invalid_input(name: str, value: object) -> None:
    try:
        flow = parse_flow(flow_document(**{name: value}))
    except InvalidInput:
        return
    assert parse_flow(flow.document) == flow


@given(hostile_text, hostile_text)
@settings(max_examples=300, deadline=None)
def test_no_expression_raises_anything_but_invalid_input(condition: str, text: str) -> None:
    document = flow_document(nodes=[node("a", config={"output": text}), node("b")], edges=[edge("a", "b", condition or "x")])
    try:
        parse_flow(document)
    except FlowInvalid as refusal:
        pointers_found = [each.pointer for each in refusal.errors]
    else:
        pointers_found = []
    assert all(pointer.startswith(("/nodes/0/config/output", "/edges/0/condition")) for pointer in pointers_found)


@given(name=plain_text, tags=st.lists(plain_text, max_size=3), output=plain_text, attempts=st.integers(1, 10))
@settings(max_examples=100, deadline=None)
def test_parsing_undoes_writing(name: str, tags: list[str], output: str, attempts: int) -> None:
    document = flow_document(
        name=name, tags=tags, nodes=[node("a", config={"output": output}), node("b")], retryPolicy={"maxAttempts": attempts}
    )
    flow = parse_flow(document)
    assert flow.document == document
    assert parse_flow(flow.document) == flow
