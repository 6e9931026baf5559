"""Advice about definitions."""

from typing import Any

import pytest

from gateway.flows.cron import cron_problem
from gateway.flows.parsing import read_shape
from gateway.flows.validation import Validation, validate
from tests.fakes.flow_documents import edge, flow_document, node


def look_at(**fields: Any) -> Validation:
    return validate(read_shape(flow_document(**fields)))


def reading(text: str) -> dict[str, Any]:
    return node("b", config={"output": text})


def test_a_good_flow_has_nothing_to_say() -> None:
    seen = look_at(nodes=[node("a"), reading("${nodes.a.output}")])
    assert (seen.is_valid, seen.errors, seen.warnings) == (True, (), ())


def test_what_stops_a_flow_is_an_error() -> None:
    seen = look_at(edges=[edge("a", "b"), edge("b", "a")])
    assert not seen.is_valid
    assert [issue.pointer for issue in seen.errors] == ["/edges"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("${nodes.c.output}", "'c', which is not in this flow"),
        ("${nodes.b.output}", "no path leads here"),
        ("${nodes.a.result}", "a node has output and status"),
        ("${parameters.absent}", "'absent', which is not declared"),
        ("${execution.owner}", "an execution has id"),
    ],
)
def test_a_doubtful_reference_is_a_warning(text: str, words: str) -> None:
    seen = look_at(nodes=[node("a"), reading(text)])
    assert seen.is_valid
    assert [(issue.pointer, words in issue.detail) for issue in seen.warnings] == [("/nodes/1/config/output", True)]


def test_a_dash_read_as_minus_is_explained() -> None:
    seen = look_at(nodes=[node("my-node"), reading("${nodes.my - 1}")], edges=[edge("my-node", "b")])
    assert 'nodes["my-node"]' in seen.warnings[0].detail


def test_an_edge_may_read_its_source() -> None:
    assert look_at(edges=[edge("a", "b", "nodes.a.output == 'a'")]).warnings == ()
    assert len(look_at(edges=[edge("a", "b", "nodes.b.output == 'b'")]).warnings) == 1


def test_dependencies_that_contradict_themselves_are_warnings() -> None:
    conditions = {"condition": "ready"}
    given = [("fine", "conditional", conditions), ("fine", "parallel", {}), ("bare", "conditional", {}), ("kept", "parallel", conditions)]
    given.append((look_at().flow.id, "parallel", {}))
    seen = look_at(dependencies=[{"flowId": name, "type": kind, **more} for name, kind, more in given])
    assert seen.is_valid
    warned = {issue.pointer: issue.detail.split()[0] for issue in seen.warnings}
    assert warned == {
        "/dependencies/1/flowId": "names",
        "/dependencies/2": "needs",
        "/dependencies/3": "needs",
        "/dependencies/4/flowId": "is",
    }
    assert [bool(each["issues"]) for each in seen.details()["dependenciesValidation"]] == [False, True, True, True, True]


def test_parts_are_told_apart() -> None:
    seen = look_at(
        nodes=[node("a"), node("b"), node("alone")],
        parameters=[{"name": "unused", "type": "number", "default": "five"}],
        schedule="every day",
        triggers=[{"type": "schedule", "config": {"cron": "61 * * * *"}}],
        status="deprecated",
    )
    assert {issue.pointer for issue in seen.warnings} == {
        "/nodes/2",
        "/parameters/0",
        "/parameters/0/default",
        "/schedule",
        "/triggers/0/config",
        "/status",
    }
    details = seen.details()
    assert [each["nodeId"] for each in details["nodesValidation"] if each["issues"]] == ["alone"]
    assert details["edgesValidation"] == [{"edgeId": "a-b", "isValid": True, "issues": []}]


def test_an_error_stands_beside_its_node() -> None:
    seen = look_at(nodes=[node("a", config={"output": "${1 +}"}), node("b")])
    assert [each["isValid"] for each in seen.details()["nodesValidation"]] == [False, True]
    assert seen.details()["nodesValidation"][0]["issues"][0].startswith("config/output: ")


@pytest.mark.parametrize("line", ["0 6 * * 1-5", "*/5 * * * *", "0 0 1 jan sun", "@daily", "0,30 8-18/2 * * *"])
def test_a_cron_line_that_can_be_read(line: str) -> None:
    assert cron_problem(line) is None


@pytest.mark.parametrize(
    "line", ["", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "5-1 * * * *", "*/0 * * * *", "x * * * *", "* * * * * *"]
)
def test_a_cron_line_that_cannot(line: str) -> None:
    assert cron_problem(line)
