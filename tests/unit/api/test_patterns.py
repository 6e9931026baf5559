"""Error patterns at the edge, and what every error at the edge teaches."""

import pytest

from gateway.recovery.model import Action, FaultType
from gateway.recovery.policy import RecoveryPolicy
from tests.fakes.container import FakeContainer, pattern
from tests.fakes.edge import make_client, pointers

FINGERPRINT = pattern().pattern.facts.fingerprint


def test_a_page_of_patterns() -> None:
    container = FakeContainer()
    body = make_client(container).get("/api/v1/errors/patterns?type=UNKNOWN_ERROR&source=redis&page=2&limit=5").get_json()
    (shown,) = body["data"]
    assert (shown["fingerprint"], shown["count"], shown["template"]) == (FINGERPRINT, 7, "the cache at <host> is on fire")
    assert shown["actions"] == [{"action": "retry", "attempts": 1, "successes": 1, "medianMs": 105.0}]
    assert shown["suggestedAction"] == {"action": "none", "reason": "default", "lowerBound": None, "tries": 1, "automatic": True}
    assert body["pagination"]["totalCount"] == 1
    assert container.patterns.asked == [{"fault_type": FaultType.UNKNOWN, "source": "redis", "limit": 5, "offset": 5}]


def test_one_pattern_with_its_kin() -> None:
    data = make_client().get(f"/api/v1/errors/patterns/{FINGERPRINT}").get_json()["data"]
    assert data["related"] == [{"fingerprint": "v1-kin", "similarity": 0.9, "template": "the cache smokes", "type": "UNKNOWN_ERROR"}]
    assert data["relatedBy"] == "postgres"
    assert [sample["target"] for sample in data["samples"]] == ["database:redis"]
    assert (data["firstSeenAt"], data["lastSeenAt"]) == ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z")


def test_an_unknown_pattern_is_not_found() -> None:
    response = make_client().get("/api/v1/errors/patterns/v1-nobody")
    assert response.status_code == 404
    assert response.get_json()["code"] == "PATTERN_NOT_FOUND"


@pytest.mark.parametrize(("query", "pointer"), [("type=NO_SUCH", "?type"), ("limit=0", "?limit"), ("source=" + "x" * 200, "?source")])
def test_bad_queries_are_named(query: str, pointer: str) -> None:
    response = make_client().get(f"/api/v1/errors/patterns?{query}")
    assert response.status_code == 400
    assert pointers(response.get_json()) == [pointer]


def test_every_error_that_is_answered_is_observed_once() -> None:
    container = FakeContainer()
    answered = make_client(container).get("/api/v1/executions/nobody").get_json()
    assert [fault.fingerprint for fault in container.patterns.observed] == [answered["error"]["fingerprint"]]


@pytest.mark.parametrize("probe", ["/readyz", "/health"])
def test_what_a_probe_is_told_teaches_nothing(probe: str) -> None:
    container = FakeContainer()
    container.poller.down.add("postgres")
    assert make_client(container).get(probe).status_code == 503
    assert container.patterns.observed == []


def test_the_allow_list_bounds_what_is_done_about_an_error() -> None:
    container = FakeContainer()
    container.patterns.policy = RecoveryPolicy(allowed=frozenset({Action.NONE}))
    container.configuration.error = None
    client = make_client(container)
    assert client.get("/api/v1/config/nobody").get_json()["recovery"]["strategy"] == "none"
    assert container.recoveries.intended == []
