"""The sample service and the sample flow."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from gateway.flows.expressions import compile_condition, compile_template
from gateway.flows.parsing import parse_flow
from gateway.flows.validation import validate
from samples.demo import FLOW, main
from samples.prices import read_prices
from samples.prices_service import CAPABILITY, create_prices_service
from samples.report import lines_of

LINES = [
    "symbol,date,price",
    *[f"MSFT,{month} 1 2009,{price}" for month, price in [("Feb", 12), ("Jan", 10), ("Mar", 17.5)]],
    "IBM,Jan 1 2009,80",
]


@pytest.fixture
def prices() -> FlaskClient:
    return create_prices_service(read_prices(LINES)).test_client()


@pytest.fixture
def flow_file() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(FLOW.read_text())
    return document


def average(prices: FlaskClient, config: object) -> Any:
    return prices.post(f"/nodes/{CAPABILITY}", json={"config": config})


def test_prices_are_served_oldest_first_and_between_days(prices: FlaskClient) -> None:
    assert prices.get("/symbols").json == {"symbols": ["IBM", "MSFT"]}
    assert prices.get("/prices/MSFT?from=2009-02-01").json == {
        "symbol": "MSFT",
        "prices": [{"date": "2009-02-01", "close": 12.0}, {"date": "2009-03-01", "close": 17.5}],
    }


def test_what_is_not_there_is_refused(prices: FlaskClient) -> None:
    assert prices.get("/prices/NONE").status_code == 404
    assert prices.get("/prices/MSFT?from=yesterday").status_code == 400


def test_the_capability_averages(prices: FlaskClient) -> None:
    known = prices.get("/prices/MSFT").get_json()["prices"]
    assert average(prices, {"prices": known, "window": 2}).get_json() == {
        "window": 2,
        "last": 17.5,
        "lastDate": "2009-03-01",
        "average": 14.75,
        "previousAverage": 11.0,
    }


@pytest.mark.parametrize(
    "config", [None, {}, {"prices": [], "window": 1}, {"prices": [{"close": 1}], "window": 1}, {"prices": [{}], "window": 1}]
)
def test_the_capability_refuses_what_it_cannot_average(prices: FlaskClient, config: object) -> None:
    assert average(prices, config).status_code == 400


def test_the_flow_is_valid_and_nothing_is_odd_about_it(flow_file: dict[str, Any]) -> None:
    flow = parse_flow(flow_file)
    assert validate(flow).warnings == ()
    assert flow.document == flow_file


@pytest.mark.parametrize(("last", "taken"), [(17.5, "compare-hold"), (10, "compare-sell")])
def test_the_flow_decides_by_the_average(flow_file: dict[str, Any], last: float, taken: str) -> None:
    flow = parse_flow(flow_file)
    compare = next(node for node in flow.nodes if node.id == "compare")
    scope: dict[str, Any] = {"parameters": {"symbol": "MSFT"}, "nodes": {"average": {"output": {"last": last, "average": 14.75}}}}
    scope["output"] = compile_template(compare.config).render(scope)["output"]
    edges = [edge.id for edge in flow.edges if edge.source == "compare" and compile_condition(edge.condition or "").evaluate(scope)]
    assert edges == [taken]


def test_a_demo_without_a_gateway_ends_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--gateway", "http://127.0.0.1:9"]) == 1
    assert capsys.readouterr().err == "demo: no gateway answers at http://127.0.0.1:9; start one with `make run` in another terminal\n"


def test_a_report_tells_each_node() -> None:
    nodes = [
        {"id": "a", "type": "service", "status": "completed", "attempts": 2, "durationMs": 12.4, "output": {"x": 1}, "error": None},
        {"id": "b", "type": "transform", "status": "failed", "attempts": 1, "durationMs": None, "output": None, "error": {"detail": "no"}},
        {"id": "c", "type": "transform", "status": "skipped", "attempts": 0, "durationMs": None, "output": None, "error": None},
    ]
    execution = {"executionId": "e", "flowId": "f", "flowVersion": "1.0.0", "status": "failed", "durationMs": 20, "result": None}
    lines = lines_of(execution | {"nodes": nodes, "error": {"detail": "b failed"}})
    assert lines[0] == "Execution e of f 1.0.0: failed in 20 ms"
    assert lines[2].split() == ["✓", "a", "service", "completed", "in", "12", "ms,", "2", "attempts"]
    assert lines[-1] == "Error: b failed"
