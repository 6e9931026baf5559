"""The Flow Registry: definitions, lists, dependencies, executions."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

URL = "/api/v1/flows"
MakeFlow = Callable[..., dict[str, Any]]


@pytest.fixture
def register_flow(config_client: FlaskClient, make_flow: MakeFlow) -> MakeFlow:
    """Registers a small definition and returns what the registry answers."""

    def register(flow_id: str, *, depends_on: tuple[str, ...] = (), **fields: Any) -> dict[str, Any]:
        dependencies = [{"flowId": each, "type": "prerequisite"} for each in depends_on]
        response = config_client.post(URL, json=make_flow(flow_id, **fields, **({"dependencies": dependencies} if depends_on else {})))
        assert response.status_code == 201, response.text
        data: dict[str, Any] = response.json["data"]
        return data

    return register


def ids(client: FlaskClient, query: str) -> list[str]:
    response = client.get(f"{URL}?{query}")
    assert response.status_code == 200, response.text
    return [each["id"] for each in response.json["data"]]


def test_what_was_registered_is_what_is_read(config_client: FlaskClient, make_flow: MakeFlow) -> None:
    document = make_flow(
        "whole",
        description="d",
        tags=["b", "a"],
        metadata={"z": 1, "a": [1.0, 1e300, None]},
        environment={"REGION": "eu"},
        parameters=[{"name": "symbol", "type": "string", "required": True, "default": "AAPL"}],
        credentials=[{"key": "broker", "type": "api_key", "required": True}],
        triggers=[{"type": "manual", "config": {}, "enabled": True}],
        schedule="0 6 * * 1-5",
        retryPolicy={"maxAttempts": 5},
        status="active",
    )
    registered = config_client.post(URL, json=document).json["data"]
    assert {name: registered[name] for name in document} == document | {"retryPolicy": registered["retryPolicy"]}
    assert registered["retryPolicy"] == {"maxAttempts": 5, "backoffStrategy": "exponential", "baseDelay": 1000, "maxDelay": 30000}
    assert list(registered["metadata"]) == ["z", "a"]


def test_what_was_read_can_be_put_back(config_client: FlaskClient, register_flow: MakeFlow) -> None:
    register_flow("orders", status="active")
    read = config_client.get(f"{URL}/orders").json["data"]
    response = config_client.put(f"{URL}/orders", json=read | {"description": "changed"})
    assert response.status_code == 200, response.text
    assert response.json["data"] == read | {"description": "changed", "updatedAt": response.json["data"]["updatedAt"]}


def test_put_keeps_status_and_refuses_another_id_or_a_used_name(
    config_client: FlaskClient, register_flow: MakeFlow, make_flow: MakeFlow
) -> None:
    register_flow("one", status="deprecated")
    register_flow("two")
    replacement = {name: value for name, value in make_flow("one").items() if name not in ("id", "createdBy")}
    assert config_client.put(f"{URL}/one", json=replacement).json["data"]["status"] == "deprecated"
    assert config_client.put(f"{URL}/one", json=make_flow("two")).status_code == 400
    assert config_client.put(f"{URL}/one", json=make_flow("one", name="Flow two")).status_code == 409
    assert config_client.put(f"{URL}/three", json=make_flow("three")).status_code == 404
    assert config_client.put(f"{URL}/one", json=make_flow("one", nodes=[])).status_code == 400


def test_ids_that_could_not_be_reached_are_refused(config_client: FlaskClient, make_flow: MakeFlow) -> None:
    for flow_id in ("health", "types"):
        assert config_client.post(URL, json=make_flow(flow_id)).status_code == 400


def test_one_of_two_registrations_at_once_wins(config_service: Flask, make_flow: MakeFlow) -> None:
    def register(attempt: int) -> int:
        documents = {0: make_flow("same"), 1: make_flow(f"other-{attempt}", name="Flow same")}
        return config_service.test_client().post(URL, json=documents[attempt % 2]).status_code

    with ThreadPoolExecutor(6) as pool:
        assert Counter(pool.map(register, range(12))) == {201: 1, 409: 11}


def test_lists_filter_sort_and_page(config_client: FlaskClient, register_flow: MakeFlow) -> None:
    register_flow("a", status="active", tags=["x", "y"])
    register_flow("b", status="active", tags=["x"], type="chain_mapping")
    register_flow("c", tags=["x"], createdBy="somebody")
    register_flow("d", status="archived")
    assert ids(config_client, "") == ["b", "a"]
    assert ids(config_client, "sortOrder=ASC") == ["a", "b"]
    assert ids(config_client, "status=draft") == ["c"]
    assert ids(config_client, "includeArchived=true&sortBy=name") == ["d", "c", "b", "a"]
    assert ids(config_client, "includeArchived=true&createdBy=somebody") == ["c"]
    assert ids(config_client, "tags=x,y") == ["a"]
    assert ids(config_client, "tags=x&tags=y") == ids(config_client, "tags[]=x&tags[]=y") == ["a"]
    assert ids(config_client, "type=chain_mapping") == ["b"]
    page = config_client.get(f"{URL}?includeArchived=true&limit=3&page=2&sortBy=created_at&sortOrder=asc").json
    assert [each["id"] for each in page["data"]] == ["d"]
    assert page["pagination"] == {"page": 2, "limit": 3, "totalCount": 4, "totalPages": 2, "hasNext": False, "hasPrev": True}


def test_a_wrong_query_names_the_parameter(config_client: FlaskClient) -> None:
    wrong = "page=0 page=x limit=0 limit=1e9 status=new type=x sortBy=document sortOrder=up includeArchived=2"
    for query in wrong.split():
        response = config_client.get(f"{URL}?{query}")
        assert (response.status_code, response.json["details"][0]["path"]) == (400, [query.split("=")[0]])


def test_the_graph_goes_all_the_way_down(config_client: FlaskClient, register_flow: MakeFlow) -> None:
    register_flow("top", depends_on=("left", "right", "not-yet-registered"))
    register_flow("left", depends_on=("bottom",))
    register_flow("right", depends_on=("bottom",))
    register_flow("bottom")
    graph = config_client.get(f"{URL}/top/dependencies?recursive=true").json["data"]
    shape = {each["flowId"]: [below["flowId"] for below in each["subDependencies"]] for each in graph["dependencies"]}
    assert shape == {"left": ["bottom"], "right": ["bottom"], "not-yet-registered": []}
    assert graph["dependencies"][2]["name"] is None
    flat = config_client.get(f"{URL}/top/dependencies").json["data"]
    assert all(each["subDependencies"] == [] for each in flat["dependencies"])
    assert [each["flowId"] for each in config_client.get(f"{URL}/bottom/dependencies").json["data"]["dependents"]] == ["left", "right"]


def test_a_graph_that_explodes_is_cut(config_client: FlaskClient, register_flow: MakeFlow) -> None:
    for level in range(12):  # two of each level depend on both of the next: 2^13 ways
        below = (f"l{level + 1}-0", f"l{level + 1}-1") if level < 11 else ()
        for side in range(2):
            register_flow(f"l{level}-{side}", depends_on=below)
    assert config_client.get(f"{URL}/l0-0/dependencies?recursive=1").json["data"]["truncated"] is True


def test_no_flow_comes_to_depend_on_itself(config_client: FlaskClient, register_flow: MakeFlow, make_flow: MakeFlow) -> None:
    register_flow("a", depends_on=("b",))
    register_flow("b", depends_on=("c",))
    register_flow("c")
    refused = config_client.post(f"{URL}/c/dependencies", json={"dependsOnFlowId": "a"})
    assert (refused.status_code, refused.json["details"][0]["path"]) == (400, ["dependsOnFlowId"])
    assert "c -> a -> b -> c" in refused.json["message"]
    assert config_client.post(f"{URL}/c/dependencies", json={"dependsOnFlowId": "c"}).status_code == 400
    replaced = config_client.put(f"{URL}/c", json=make_flow("c", dependencies=[{"flowId": "a", "type": "parallel"}]))
    assert (replaced.status_code, replaced.json["details"][0]["path"]) == (400, ["dependencies"])
    assert config_client.post(URL, json=make_flow("d", dependencies=[{"flowId": "d", "type": "parallel"}])).status_code == 400
    assert config_client.get(f"{URL}/c").json["data"]["dependencies"] == []
    assert config_client.get(f"{URL}/d").status_code == 404


def test_two_edges_at_once_close_no_cycle(config_service: Flask, config_client: FlaskClient, register_flow: MakeFlow) -> None:
    for turn in range(5):
        one, two = f"one-{turn}", f"two-{turn}"
        register_flow(one)
        register_flow(two)

        def add(pair: tuple[str, str]) -> int:
            return config_service.test_client().post(f"{URL}/{pair[0]}/dependencies", json={"dependsOnFlowId": pair[1]}).status_code

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(add, [(one, two), (two, one)])) == [201, 400]


def test_an_added_dependency_shows_in_the_definition(config_client: FlaskClient, register_flow: MakeFlow) -> None:
    register_flow("a")
    register_flow("b")
    body = {"dependsOnFlowId": "b", "dependencyType": "parallel", "timeout": 1000}
    assert config_client.post(f"{URL}/a/dependencies", json=body).status_code == 201
    assert config_client.get(f"{URL}/a").json["data"]["dependencies"] == [{"flowId": "b", "type": "parallel", "timeout": 1000}]
    assert config_client.post(f"{URL}/a/dependencies", json=body).status_code == 409
    assert config_client.post(f"{URL}/a/dependencies", json={"dependsOnFlowId": "nobody"}).status_code == 400
    assert config_client.post(f"{URL}/nobody/dependencies", json={"dependsOnFlowId": "b"}).status_code == 404


def test_which_flows_may_be_executed(config_client: FlaskClient, register_flow: MakeFlow) -> None:
    for status, expected in {"draft": 202, "active": 202, "deprecated": 202, "archived": 409}.items():
        register_flow(status, status=status)
        response = config_client.post(f"{URL}/{status}/execute")
        assert response.status_code == expected
        assert ("warnings" in response.json) == (status == "deprecated")
        assert config_client.get(f"{URL}/{status}/executions").json["pagination"]["totalCount"] == (expected == 202)


def test_the_same_key_answers_the_same_record(config_client: FlaskClient, register_flow: MakeFlow) -> None:
    register_flow("a")
    register_flow("b")

    def record(flow_id: str, key: str | None) -> str:
        headers = {"Idempotency-Key": key} if key else {}
        response = config_client.post(f"{URL}/{flow_id}/execute", json={}, headers=headers)
        assert response.status_code == 202
        return str(response.json["data"]["executionId"])

    first = record("a", "run-1")
    config_client.delete(f"{URL}/a")
    assert record("a", "run-1") == first, "also once the flow is archived"
    assert config_client.post(f"{URL}/a/execute", headers={"Idempotency-Key": "run-2"}).status_code == 409
    assert len({first, record("b", "run-1"), record("b", "run-2"), record("b", None), record("b", None)}) == 5
    assert config_client.post(f"{URL}/b/execute", headers={"Idempotency-Key": "x" * 256}).status_code == 400


def test_one_key_at_once_makes_one_record(config_service: Flask, register_flow: MakeFlow) -> None:
    register_flow("a")

    def record(_: int) -> str:
        response = config_service.test_client().post(f"{URL}/a/execute", json={}, headers={"Idempotency-Key": "run-1"})
        return str(response.json["data"]["executionId"])

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(record, range(24)))) == 1
    assert config_service.test_client().get(f"{URL}/a/executions").json["pagination"]["totalCount"] == 1


def test_validation_knows_the_state_of_dependencies(config_client: FlaskClient, register_flow: MakeFlow) -> None:
    register_flow("gone", status="archived")
    register_flow("old", status="deprecated")
    register_flow("fine", status="active")
    register_flow("a", depends_on=("gone", "old", "fine", "never-registered"))
    found = config_client.post(f"{URL}/a/validate").json["data"]
    assert found["isValid"] is False
    assert [(each["flowId"], each["isValid"]) for each in found["details"]["dependenciesValidation"]] == [
        ("gone", False),
        ("old", True),
        ("fine", True),
        ("never-registered", False),
    ]
    assert (len(found["errors"]), len(found["warnings"])) == (2, 1)


def test_reports_follow_the_table_of_legal_states(config_client: FlaskClient, register_flow: MakeFlow) -> None:
    register_flow("a")
    execution_id = config_client.post(f"{URL}/a/execute", json={}).json["data"]["executionId"]

    def report(status: str, **more: Any) -> Any:
        return config_client.put(f"/api/v1/executions/{execution_id}/status", json={"status": status, **more})

    assert report("failed", errorMessage="no prices").json["data"]["errorMessage"] == "no prices"
    ended_at = report("failed").json["data"]["completedAt"]
    assert report("failed").json["data"]["completedAt"] == ended_at
    running = report("running").json["data"]
    assert (running["completedAt"], running["errorMessage"], running["duration"]) == (None, None, None)
    assert report("completed", result=None).status_code == 200
    assert report("running").status_code == 409
    assert report("completed", result=[1]).json["data"]["result"] == [1]
    assert report("completed").json["data"]["result"] == [1]
    assert report("unheard-of").status_code == 400
    assert config_client.put("/api/v1/executions/nonsense/status", json={"status": "running"}).status_code == 404


def test_history_and_statistics(config_client: FlaskClient, register_flow: MakeFlow) -> None:
    register_flow("a")
    executions = [config_client.post(f"{URL}/a/execute", json={"triggeredBy": str(turn)}).json["data"]["executionId"] for turn in range(4)]
    for execution_id, status in zip(executions, ["completed", "completed", "failed"], strict=False):
        config_client.put(f"/api/v1/executions/{execution_id}/status", json={"status": status})
    page = config_client.get(f"{URL}/a/executions?limit=2&offset=1").json
    assert [each["triggeredBy"] for each in page["data"]] == ["2", "1"]
    assert page["pagination"] == {"limit": 2, "offset": 1, "totalCount": 4, "hasNext": True, "hasPrev": True}
    assert [each["status"] for each in config_client.get(f"{URL}/a/executions?status=failed").json["data"]] == ["failed"]
    statistics = config_client.get(f"{URL}/a/statistics").json["data"]
    assert statistics["executions"] | {"avg_duration_seconds": 0} == {
        "total_executions": 4,
        "successful_executions": 2,
        "failed_executions": 1,
        "running_executions": 1,
        "avg_duration_seconds": 0,
    }
    assert statistics["successRate"] == 50
    for path in ("nobody/executions", "nobody/statistics", "nobody", "nobody/dependencies"):
        assert config_client.get(f"{URL}/{path}").status_code == 404


def test_executions_that_ended_long_ago_go_when_new_ones_come(
    config_client: FlaskClient, register_flow: MakeFlow, run_sql: Callable[[str], None]
) -> None:
    register_flow("a")
    register_flow("b")
    ran = [config_client.post(f"{URL}/{flow}/execute", json={}).json["data"]["executionId"] for flow in ("a", "a", "b")]
    for execution_id in (ran[0], ran[2]):  # the second of `a` runs on, however long ago it began
        config_client.put(f"/api/v1/executions/{execution_id}/status", json={"status": "completed"})
    past = ", ".join(f"{name} = {name} - interval '91 days'" for name in ("started_at", "completed_at"))
    run_sql(f"UPDATE configservice.flow_executions SET {past}")
    new = config_client.post(f"{URL}/a/execute", json={}).json["data"]["executionId"]
    kept = {each["executionId"] for each in config_client.get(f"{URL}/a/executions").json["data"]}
    assert kept == {ran[1], new}
    assert config_client.get(f"{URL}/b/executions").json["pagination"]["totalCount"] == 1
    assert config_client.put(f"/api/v1/executions/{ran[1]}/status", json={"status": "completed"}).status_code == 200
