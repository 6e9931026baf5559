from typing import Any

import pytest

from gateway.executions.model import NodeStatus
from gateway.executions.plan import Plan, PlanCache
from gateway.executions.scope import NodeResult, Scope, decide_edges, render_config, skip_edges
from gateway.flows.errors import ExpressionFailed
from gateway.flows.parsing import parse_flow

FETCHED = {"price": 12, "data_available": True, "empty": ""}


def plan(nodes: dict[str, Any], edges: list[tuple[str, str, str | None]]) -> Plan:
    return Plan(
        parse_flow(
            {
                "id": "f1",
                "name": "F",
                "type": "custom",
                "version": "1.0.0",
                "createdBy": "tests",
                "nodes": [{"id": name, "name": name, "type": "transform", "config": {"output": output}} for name, output in nodes.items()],
                "edges": [
                    {"id": f"e{index}", "source": source, "target": target} | ({"condition": condition} if condition else {})
                    for index, (source, target, condition) in enumerate(edges)
                ],
            }
        )
    )


def scope(**nodes: Any) -> Scope:
    results = {name: NodeResult(NodeStatus.COMPLETED, output) for name, output in nodes.items()}
    return Scope("e1", "f1", "api", {"city": "Bonn"}, results)


def test_config_sees_parameters_nodes_and_the_execution() -> None:
    flow = plan(
        {"a": 1, "b": {"n": "${nodes.a.output.price}", "s": "${nodes.a.status} in ${parameters.city}", "e": "${execution.flowId}"}},
        [("a", "b", None)],
    )
    assert render_config(flow, "b", scope(a=FETCHED))["output"] == {"n": 12, "s": "completed in Bonn", "e": "f1"}


def test_a_missing_value_fails_in_words() -> None:
    with pytest.raises(ExpressionFailed):
        render_config(plan({"a": "${nodes.a.output.nothing}"}, []), "a", scope())


@pytest.mark.parametrize(
    ("condition", "taken"),
    [
        (None, 1),
        ("data_available", 1),
        ("empty", 0),
        ("absent", 0),
        ("output.price > 10", 1),
        ("output.price > 10 && parameters.city == 'Berlin'", 0),
        ("nodes.a.status == 'completed'", 1),
    ],
)
def test_an_edge_is_taken_when_its_condition_holds(condition: str | None, taken: int) -> None:
    flow = plan({"a": 1, "b": 2}, [("a", "b", condition)])
    assert decide_edges(flow, "a", scope(), FETCHED) == {"b": (1, taken)}


def test_two_edges_to_one_node_are_counted_together() -> None:
    flow = plan({"a": 1, "b": 2}, [("a", "b", "absent"), ("a", "b", None)])
    assert decide_edges(flow, "a", scope(), FETCHED) == {"b": (2, 1)}


def test_skipped_nodes_decide_their_edges_and_take_none() -> None:
    flow = plan({"a": 1, "b": 2, "c": 3}, [("a", "c", None), ("b", "c", None)])
    assert skip_edges(flow, ["a", "b"]) == {"c": (2, 0)}
    assert skip_edges(flow, []) == {}


@pytest.mark.parametrize(
    ("output", "needed"),
    [
        ("plain", {"b"}),
        ("${nodes.a.output}", {"a", "b"}),
        ("${nodes['a'].output + nodes.b.output}", {"a", "b"}),
        ("${size(nodes)}", {"a", "b", "c"}),
    ],
)
def test_only_the_nodes_that_expressions_name_are_read(output: str, needed: set[str]) -> None:
    flow = plan({"a": 1, "b": 2, "c": output}, [("a", "b", None), ("b", "c", None)])
    assert flow.needed("c") == needed


def test_a_plan_is_read_once_for_each_definition() -> None:
    cache = PlanCache()
    document = {
        "id": "f1",
        "name": "F",
        "type": "custom",
        "version": "1.0.0",
        "createdBy": "tests",
        "nodes": [{"id": "a", "name": "A", "type": "transform", "config": {"output": 1}}],
    }
    loads: list[int] = []
    for _ in range(3):
        cache.get("digest", lambda: loads.append(1) or document)
    assert len(loads) == 1


@pytest.mark.parametrize(
    ("template", "value", "path"),
    [
        ("/items/${parameters.city}", "a b&c=é", "/items/a%20b%26c%3D%C3%A9"),
        ("/items/${parameters.city}/x", "../../admin?all=1#", "/items/..%2F..%2Fadmin%3Fall%3D1%23/x"),
        ("/items?day=${parameters.city}&n=1", "1&n=2", "/items?day=1%26n%3D2&n=1"),
        ("/items/${parameters.city}", 7, "/items/7"),
        ("${parameters.city}", "/a/b?c=d", "/a/b?c=d"),
    ],
)
def test_a_value_keeps_its_place_in_a_path(template: str, value: Any, path: str) -> None:
    flow = Plan(parse_flow(document("service", {"service": "prices", "path": template, "body": "${parameters.city} & co"})))
    config = render_config(flow, "a", Scope("e1", "f1", "api", {"city": value}, {}))
    assert config["path"] == path
    assert config["body"] == f"{value} & co"


def test_paths_are_the_business_of_service_nodes_alone() -> None:
    flow = Plan(parse_flow(document("brew", {"path": "/items/${parameters.city}"})))
    assert render_config(flow, "a", Scope("e1", "f1", "api", {"city": "a b"}, {}))["path"] == "/items/a b"


def document(node_type: str, config: dict[str, Any]) -> dict[str, Any]:
    node = {"id": "a", "name": "A", "type": node_type, "config": config}
    return {"id": "f1", "name": "F", "type": "custom", "version": "1.0.0", "createdBy": "tests", "nodes": [node], "edges": []}
