"""Flows at the edge: register, list, read, check, run."""

import copy
import json
from dataclasses import replace

import pytest

from gateway.errors import KeyReused
from gateway.executions.model import ExecutionStatus
from tests.fakes.container import FLOW, FakeContainer, execution, settings
from tests.fakes.edge import GUARDED, bearer, make_client, pointers

FLOWS = "/api/v1/flows"


def test_registering_answers_201_with_the_flows_address() -> None:
    response = make_client().post(FLOWS, json={**FLOW, "id": "second"})
    assert (response.status_code, response.headers["Location"]) == (201, f"{FLOWS}/second")
    assert response.get_json()["data"]["id"] == "second"


def test_registering_while_the_registry_is_down_answers_202_pending() -> None:
    container = FakeContainer()
    container.flows.pending = True
    response = make_client(container).post(FLOWS, json=FLOW)
    data = response.get_json()["data"]
    assert (response.status_code, data["id"], data["status"], data["pending"]) == (202, "greeting", "pending", True)


def test_what_is_wrong_with_a_flow_is_pointed_at() -> None:
    flow = copy.deepcopy(FLOW)
    flow["nodes"][0]["nme"] = "?"  # type: ignore[index]
    flow["version"] = "one"
    container = FakeContainer()
    container.flows.documents.clear()
    response = make_client(container).post(FLOWS, json=flow)
    assert response.status_code == 400
    assert {"/nodes/0/nme", "/version"} <= set(pointers(response.get_json()))
    assert container.flows.documents == {}


def test_registering_nothing_is_a_400() -> None:
    assert make_client().post(FLOWS).status_code == 400


def test_a_list_is_filtered_and_paged() -> None:
    container = FakeContainer()
    response = make_client(container).get(f"{FLOWS}?type=custom&status=draft&tag=a&tags=b,c&page=2&limit=5")
    filters, page, limit = container.flows.asked[0]
    assert response.get_json()["pagination"]["page"] == 2
    assert (filters.type, filters.status, filters.tags, page, limit) == ("custom", "draft", ("a", "b", "c"), 2, 5)


@pytest.mark.parametrize(
    ("query", "pointer"),
    [("page=0", "?page"), ("limit=101", "?limit"), ("limit=ten", "?limit"), ("type=other", "?type"), ("status=x", "?status")],
)
def test_a_bad_page_or_filter_is_pointed_at(query: str, pointer: str) -> None:
    response = make_client().get(f"{FLOWS}?{query}")
    assert (response.status_code, pointers(response.get_json())) == (400, [pointer])


def test_one_flow_and_one_that_nobody_knows() -> None:
    client = make_client()
    assert client.get(f"{FLOWS}/greeting").get_json()["data"] == FLOW
    assert client.get(f"{FLOWS}/unknown").get_json()["code"] == "FLOW_NOT_FOUND"


def test_starting_answers_202_with_the_executions_address() -> None:
    container = FakeContainer()
    body = {"parameters": {"a": 1}, "triggeredBy": "me", "executionContext": {"order": 7}}
    response = make_client(container).post(f"{FLOWS}/greeting/execute", json=body, headers={"Idempotency-Key": '"key-1"'})
    assert (response.status_code, response.headers["Location"]) == (202, "/api/v1/executions/run-1")
    assert response.get_json()["data"]["status"] == "running"
    assert container.executions.started == [
        {
            "flow_id": "greeting",
            "parameters": {"a": 1},
            "triggered_by": "me",
            "execution_context": {"order": 7},
            "idempotency_key": "key-1",
            "caller": "anonymous",
        }
    ]


def test_a_flow_starts_without_a_body() -> None:
    container = FakeContainer()
    assert make_client(container).post(f"{FLOWS}/greeting/execute").status_code == 202
    assert container.executions.started[0]["parameters"] == {}


def test_the_caller_scopes_the_key() -> None:
    container = FakeContainer()
    container.settings = settings(**GUARDED)
    make_client(container).post(f"{FLOWS}/greeting/execute", headers=bearer())
    assert container.executions.started[0]["caller"] == "operator"


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "käse"])
def test_a_broken_key_is_refused(key: str) -> None:
    response = make_client().post(f"{FLOWS}/greeting/execute", headers={"Idempotency-Key": key})
    assert response.status_code == 400


def test_a_key_used_again_with_another_body_is_a_422() -> None:
    container = FakeContainer()
    container.executions.error = KeyReused("The key was used with another body")
    response = make_client(container).post(f"{FLOWS}/greeting/execute")
    assert (response.status_code, response.get_json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


def test_waiting_answers_200_when_it_ends_in_time() -> None:
    container = FakeContainer()
    response = make_client(container).post(f"{FLOWS}/greeting/execute", headers={"Prefer": "respond-async, wait=5"})
    assert (response.status_code, response.headers["Preference-Applied"]) == (200, "wait=5")
    assert response.get_json()["data"]["result"] == "hello"


@pytest.mark.parametrize("preference", ['wait="5"', 'respond-async, Wait = "5"; x=1'])
def test_the_seconds_to_wait_may_be_quoted(preference: str) -> None:
    response = make_client().post(f"{FLOWS}/greeting/execute", headers={"Prefer": preference})
    assert (response.status_code, response.headers["Preference-Applied"]) == (200, "wait=5")


def test_waiting_answers_202_when_it_does_not() -> None:
    container = FakeContainer()
    container.executions.ends_while_waiting = False
    response = make_client(container).post(f"{FLOWS}/greeting/execute", headers={"Prefer": "wait=2"})
    assert (response.status_code, response.headers["Preference-Applied"]) == (202, "wait=2")


@pytest.mark.parametrize("seconds", ["31", "600", "99999999999", "0" * 5000 + "31", "9" * 5000, "1" + "0" * 5000])
def test_nobody_waits_longer_than_thirty_seconds(seconds: str) -> None:
    container = FakeContainer()
    response = make_client(container).post(f"{FLOWS}/greeting/execute", headers={"Prefer": f"wait={seconds}"})
    assert (container.executions.waited, response.headers["Preference-Applied"]) == ([30], "wait=30")


@pytest.mark.parametrize(
    "preference",
    ["wait=soon", 'wait="5', 'wait=5"', "wait", "wait=-1", "wait=", "wait=0", "wait=" + "0" * 5000, "wait=3.5", "wait=²", ";;", "x" * 1000],
)
def test_a_preference_that_cannot_be_read_is_ignored(preference: str) -> None:
    container = FakeContainer()
    response = make_client(container).post(f"{FLOWS}/greeting/execute", headers={"Prefer": preference})
    assert (response.status_code, container.executions.waited) == (202, [])
    assert "Preference-Applied" not in response.headers


def test_the_history_is_paged_and_filtered() -> None:
    container = FakeContainer()
    container.executions.runs = {f"run-{n}": execution(f"run-{n}") for n in range(5)}
    container.executions.runs["run-9"] = execution("run-9", ExecutionStatus.FAILED)
    body = make_client(container).get(f"{FLOWS}/greeting/executions?page=2&limit=2&status=completed").get_json()
    assert [run["executionId"] for run in body["data"]] == ["run-2", "run-3"]
    assert body["pagination"] == {"page": 2, "limit": 2, "totalCount": 5, "totalPages": 3, "hasNext": True, "hasPrev": True}


def test_only_a_flow_that_somebody_knows_has_a_history() -> None:
    container = FakeContainer()
    assert make_client(container).get(f"{FLOWS}/greeting/executions").get_json()["data"] == []
    assert make_client(container).get(f"{FLOWS}/nobody/executions").status_code == 404
    container.executions.runs = {"run-1": execution("run-1")}
    container.flows.documents.clear()
    assert len(make_client(container).get(f"{FLOWS}/greeting/executions").get_json()["data"]) == 1, "it ran here once"


def test_the_history_may_begin_anywhere() -> None:
    container = FakeContainer()
    container.executions.runs = {f"run-{n}": execution(f"run-{n}") for n in range(5)}
    body = make_client(container).get(f"{FLOWS}/greeting/executions?offset=3&limit=2").get_json()
    assert [run["executionId"] for run in body["data"]] == ["run-3", "run-4"]
    assert body["pagination"] == {"page": 2, "limit": 2, "totalCount": 5, "totalPages": 3, "hasNext": False, "hasPrev": True}


@pytest.mark.parametrize("query", ["offset=-1", "offset=x", "offset=10000001", "offset=0&page=1"])
def test_a_bad_offset_is_pointed_at(query: str) -> None:
    response = make_client().get(f"{FLOWS}/greeting/executions?{query}")
    assert (response.status_code, pointers(response.get_json())) == (400, ["?offset"])


def test_half_a_surrogate_pair_in_an_old_row_is_replaced() -> None:
    container = FakeContainer()
    stored = {"caf\ud800": ["\udc00x", "é\U0001f600", None]}
    container.executions.runs["run-1"] = replace(execution(), result=stored, parameters={"a": "\ud800"})
    response = make_client(container).get("/api/v1/executions/run-1")
    assert response.status_code == 200
    data = json.loads(response.data.decode())["data"]
    assert list(data["result"].values()) == [["\ufffdx", "é\U0001f600", None]]
    assert data["parameters"] == {"a": "\ufffd"}
    container.executions.runs["run-1"] = execution()
    whole = make_client(container).get("/api/v1/executions/run-1").get_json()["data"]
    assert {**data, "parameters": whole["parameters"], "result": whole["result"]} == whole


def test_an_execution_has_every_member_of_the_contract() -> None:
    container = FakeContainer()
    container.executions.runs["run-1"] = execution()
    data = make_client(container).get("/api/v1/executions/run-1").get_json()["data"]
    assert set(data) >= {
        *("executionId", "flowId", "flowVersion", "status", "parameters", "triggeredBy", "startedAt", "completedAt"),
        *("durationMs", "result", "error", "nodes"),
    }
    assert set(data["nodes"][0]) == {
        *("id", "name", "type", "status", "attempts", "startedAt", "completedAt", "durationMs", "output", "error"),
    }
