"""The ledger over HTTP, and the id of a recovery in a problem."""

import pytest

from gateway.databases.errors import DatabaseAuthenticationFailed, DatabaseUnreachable
from gateway.errors import GatewayError, InvalidInput
from gateway.recovery.ledger.model import RecoveryStatus
from tests.fakes.container import FakeContainer
from tests.fakes.edge import make_client, pointers

RECOVERIES = "/api/v1/recoveries"


def test_the_ledger_is_listed_by_page_target_and_status() -> None:
    container = FakeContainer()
    body = make_client(container).get(f"{RECOVERIES}?target=database:clickhouse&status=pending&page=2&limit=5").get_json()
    assert container.recoveries.asked == [{"target": "database:clickhouse", "status": RecoveryStatus.PENDING, "limit": 5, "offset": 5}]
    assert body["pagination"]["totalCount"] == 1
    assert body["data"][0]["recoveryId"] == "recovery-1"
    assert "attempts" not in body["data"][0]


def test_one_recovery_tells_what_broke_and_what_was_tried() -> None:
    data = make_client().get(f"{RECOVERIES}/recovery-1").get_json()["data"]
    assert (data["target"], data["status"], data["strategy"], data["action"]) == (
        "database:clickhouse",
        "pending",
        "delayed",
        "reconnect_database",
    )
    assert data["attempts"] == [
        {
            "number": 1,
            "action": "reconnect_database",
            "worker": "worker-1",
            "outcome": "failed",
            "startedAt": "2026-01-01T00:00:00Z",
            "completedAt": "2026-01-01T00:00:00Z",
            "durationMs": 0,
            "detail": "It cannot be reached",
            "executionId": None,
        }
    ]
    assert data["mergedIds"] == ["recovery-2"]


def test_an_unknown_recovery_is_not_found() -> None:
    response = make_client().get(f"{RECOVERIES}/nobody")
    assert (response.status_code, response.get_json()["code"]) == (404, "RECOVERY_NOT_FOUND")


@pytest.mark.parametrize("query", ["status=broken", "limit=0", "page=x", f"target={'x' * 256}"])
def test_a_query_that_is_not_valid_is_refused(query: str) -> None:
    response = make_client().get(f"{RECOVERIES}?{query}")
    assert response.status_code == 400
    assert pointers(response.get_json()) == [f"?{query.partition('=')[0]}"]


def failing(container: FakeContainer, error: GatewayError) -> dict[str, object]:
    container.configuration.error = error
    recovery: dict[str, object] = make_client(container).get("/api/v1/config/x").get_json()["recovery"]
    return recovery


def test_what_is_left_to_a_worker_has_a_recovery_to_follow() -> None:
    container = FakeContainer()
    recovery = failing(container, DatabaseUnreachable("clickhouse", "ClickHouse does not answer"))
    assert (recovery["strategy"], recovery["action"], recovery["recoveryId"]) == ("delayed", "reconnect_database", "recovery-1")
    assert make_client(container).get(f"{RECOVERIES}/{recovery['recoveryId']}").status_code == 200


def test_a_recovery_flow_is_named_as_the_action() -> None:
    container = FakeContainer()
    container.recoveries.flows.add("DATABASE_CONNECTION_ERROR")
    recovery = failing(container, DatabaseUnreachable("clickhouse", "ClickHouse does not answer"))
    assert recovery["action"] == "run_recovery_flow"


@pytest.mark.parametrize("error", [InvalidInput("wrong"), DatabaseAuthenticationFailed("clickhouse", "refused")])
def test_what_no_worker_can_heal_opens_no_recovery(error: GatewayError) -> None:
    container = FakeContainer()
    assert failing(container, error)["recoveryId"] is None
    assert container.recoveries.intended == []
