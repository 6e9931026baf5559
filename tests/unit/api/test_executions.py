"""Acting on executions at the edge: what is answered, what is refused, and who is named."""

import json
from typing import Any

import pytest

from gateway.executions.model import ExecutionAction, ExecutionStatus
from tests.fakes.container import FakeContainer, execution, settings
from tests.fakes.edge import GUARDED, bearer, make_client, pointers

RUN = "/api/v1/executions/run-1"


def container_with(status: str, **variables: str) -> FakeContainer:
    container = FakeContainer(settings=settings(**variables))
    container.executions.runs["run-1"] = execution(status=ExecutionStatus(status))
    return container


@pytest.mark.parametrize(
    ("before", "action", "after"),
    [
        ("running", "cancel", "cancelled"),
        ("paused", "cancel", "cancelled"),
        ("cancelled", "cancel", "cancelled"),
        ("running", "pause", "paused"),
        ("paused", "pause", "paused"),
        ("paused", "resume", "running"),
        ("running", "resume", "running"),
        ("failed", "retry", "running"),
        ("cancelled", "retry", "running"),
    ],
)
def test_an_action_answers_202_with_the_execution_and_its_address(before: str, action: str, after: str) -> None:
    response = make_client(container_with(before)).post(f"{RUN}/{action}")
    assert (response.status_code, response.headers["Location"]) == (202, RUN)
    assert response.get_json()["data"]["status"] == after


@pytest.mark.parametrize(
    ("before", "action", "possible"),
    [
        ("completed", "cancel", []),
        ("completed", "pause", []),
        ("completed", "resume", []),
        ("completed", "retry", []),
        ("failed", "cancel", ["retry"]),
        ("failed", "pause", ["retry"]),
        ("failed", "resume", ["retry"]),
        ("cancelled", "pause", ["retry"]),
        ("cancelled", "resume", ["retry"]),
        ("running", "retry", ["cancel", "pause"]),
        ("paused", "retry", ["cancel", "resume"]),
    ],
)
def test_what_the_status_does_not_allow_is_a_409_that_tells_what_it_does(before: str, action: str, possible: list[str]) -> None:
    response = make_client(container_with(before)).post(f"{RUN}/{action}")
    problem = response.get_json()
    assert (response.status_code, problem["code"]) == (409, "EXECUTION_STATE_CONFLICT")
    assert (problem["executionStatus"], problem["possibleActions"], problem["status"]) == (before, possible, 409)
    assert all(word in problem["detail"] for word in possible)


def test_who_did_what_and_why_is_shown() -> None:
    client = make_client(container_with("running", **GUARDED))
    client.post(f"{RUN}/pause", json={"reason": "prices are wrong"}, headers=bearer())
    (shown,) = client.get(RUN, headers=bearer()).get_json()["data"]["actions"]
    assert (shown["action"], shown["caller"], shown["reason"]) == ("pause", "operator", "prices are wrong")
    assert (shown["fromStatus"], shown["toStatus"]) == ("running", "paused")
    assert set(shown) == {"action", "caller", "reason", "at", "fromStatus", "toStatus", "requestId"}


@pytest.mark.parametrize("body", [None, {}, {"reason": None}, {"reason": "x" * 500}])
def test_a_reason_may_be_given(body: Any) -> None:
    assert make_client(container_with("running")).post(f"{RUN}/cancel", json=body).status_code == 202


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"reason": ""}, "/reason"),
        ({"reason": "x" * 501}, "/reason"),
        ({"reason": "a\nb"}, "/reason"),
        ({"reason": "a\x00b"}, "/reason"),
        ({"reason": 7}, "/reason"),
        ({"why": "x"}, "/why"),
        ([], ""),
        ("cancel", ""),
    ],
)
def test_any_other_body_is_pointed_at_and_nothing_is_done(body: Any, pointer: str) -> None:
    container = container_with("running")
    response = make_client(container).post(f"{RUN}/cancel", json=body)
    assert (response.status_code, pointers(response.get_json())) == (400, [pointer])
    assert container.executions.runs["run-1"].status is ExecutionStatus.RUNNING


def test_a_body_that_is_no_json_is_a_400() -> None:
    assert make_client(container_with("running")).post(f"{RUN}/cancel", data="{", content_type="application/json").status_code == 400


@pytest.mark.parametrize("action", ["stop", "CANCEL", "cancel%20", ".."])
def test_an_unknown_action_is_an_unknown_endpoint(action: str) -> None:
    response = make_client(container_with("running")).post(f"{RUN}/{action}")
    assert (response.status_code, response.get_json()["code"]) == (404, "ENDPOINT_NOT_FOUND")


def test_an_unknown_execution_is_a_404() -> None:
    for action in ExecutionAction:
        assert make_client().post(f"/api/v1/executions/nobody/{action}").status_code == 404


def test_actions_are_posted() -> None:
    response = make_client(container_with("running")).get(f"{RUN}/cancel")
    assert (response.status_code, response.headers["Allow"]) == (405, "OPTIONS, POST")


def test_acting_takes_the_scope_of_executing() -> None:
    client = make_client(container_with("running", **GUARDED))
    assert client.post(f"{RUN}/cancel").status_code == 401
    assert client.post(f"{RUN}/cancel", headers=bearer("reader-token-0123456789")).status_code == 403


def test_the_history_is_filtered_by_the_new_statuses() -> None:
    container = container_with("paused")
    container.executions.runs["run-2"] = execution("run-2", ExecutionStatus.CANCELLED)
    body = json.loads(make_client(container).get("/api/v1/flows/greeting/executions?status=paused").data)
    assert [run["executionId"] for run in body["data"]] == ["run-1"]


def test_waiting_for_an_execution_that_is_paused_answers_202() -> None:
    container = FakeContainer()
    container.executions.ends_while_waiting = False
    container.executions.pauses_while_waiting = True
    response = make_client(container).post("/api/v1/flows/greeting/execute", headers={"Prefer": "wait=5"})
    assert (response.status_code, response.get_json()["data"]["status"]) == (202, "paused")
