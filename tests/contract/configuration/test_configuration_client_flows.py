"""What the client makes of a Flow Registry: alike against the platform's and against our own, unless the test says otherwise."""

from typing import Any

import pytest

from gateway.configuration.decoding import read_page
from gateway.configuration.errors import FlowExists, FlowRefused
from gateway.configuration.model import FlowFilters
from gateway.configuration.offers import Endpoint
from gateway.configuration.uploads import same_flow
from gateway.flows.parsing import parse_stored_flow
from tests.contract.configuration.conftest import ServedConfiguration
from tests.fakes.configuration_room import Room
from tests.fakes.registered_flows import flow_document

FULL = flow_document(
    description="Fetches, computes, decides",
    dependencies=[{"flowId": "another", "type": "prerequisite"}],
    credentials=[{"key": "api", "type": "token", "required": True}],
    triggers=[{"type": "manual", "config": {}, "enabled": True}],
    environment={"A": "b"},
    schedule="0 6 * * *",
    retryPolicy={"maxAttempts": 2},
    metadata={"owner": "tests"},
)


@pytest.mark.parametrize("document", [flow_document(), FULL], ids=["small", "full"])
def test_a_flow_is_registered_as_a_draft_and_read_back(room: Room, document: dict[str, Any]) -> None:
    stored = room.registry.register(document)
    assert stored["status"] == "draft"
    found = room.registry.find("prices")
    assert found is not None
    assert same_flow(document, found)
    assert parse_stored_flow(found).id == "prices"


def test_a_used_id_is_a_conflict(room: Room) -> None:
    room.registry.register(flow_document())
    with pytest.raises(FlowExists):
        room.registry.register(flow_document(name="Another name"))


def test_a_used_name_and_version_is_a_conflict(room: Room) -> None:
    room.registry.register(flow_document())
    with pytest.raises(FlowExists):
        room.registry.register(flow_document("other", name="Flow prices"))
    room.registry.register(flow_document("other", name="Flow prices", version="1.0.1"))


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"surprise": 1}, "/surprise"),
        ({"description": None}, "/description"),
        ({"type": "unheard_of"}, "/type"),
        ({"edges": [{"source": "first", "target": "last"}]}, "/edges/0/id"),
    ],
)
def test_what_the_registry_refuses_names_its_fields(room: Room, fields: dict[str, Any], pointer: str) -> None:
    with pytest.raises(FlowRefused) as caught:
        room.registry.register(flow_document(**fields))
    assert pointer in [error.pointer for error in caught.value.errors]
    assert all(error.detail for error in caught.value.errors)


def test_a_status_in_a_registration_is_passed_on_as_given(served: ServedConfiguration, room: Room) -> None:
    if served.offers_services:
        assert room.registry.register(flow_document(status="active"))["status"] == "active"
        return
    with pytest.raises(FlowRefused) as caught:
        room.registry.register(flow_document(status="active"))
    assert [error.pointer for error in caught.value.errors] == ["/status"]


@pytest.mark.parametrize("flow_id", ["nobody", "health", "types", "..", "a/b", "ü"])
def test_a_flow_that_nobody_registered_is_none(room: Room, flow_id: str) -> None:
    assert room.registry.find(flow_id) is None


def test_lists_show_active_flows_unless_asked_for_others(served: ServedConfiguration, room: Room) -> None:
    for name in ("a", "b", "c"):
        room.registry.register(flow_document(name))
    served.activate("b")
    active = read_page(room.registry.list_flows(FlowFilters(), 1, 10))
    drafts = read_page(room.registry.list_flows(FlowFilters(status="draft"), 1, 1))
    assert [document["id"] for document in active.documents] == ["b"]
    assert (drafts.page, drafts.limit, drafts.total, drafts.has_next) == (1, 1, 2, True)


def test_an_active_flow_is_recorded_and_its_end_reported(served: ServedConfiguration, room: Room) -> None:
    room.registry.register(flow_document())
    served.activate("prices")
    execution_id = room.registry.execute("prices", {"parameters": {"n": 1}, "triggeredBy": "tests", "executionContext": {}}, "run-1")
    assert execution_id is not None
    for _ in range(2):  # telling it twice is harmless
        assert room.registry.report_status(execution_id, {"status": "completed", "result": {"n": 1}})


def test_a_draft_is_recorded_only_where_that_is_allowed(served: ServedConfiguration, room: Room) -> None:
    room.registry.register(flow_document())
    recorded = room.registry.execute("prices", {"parameters": {}, "triggeredBy": "tests", "executionContext": {}}, "run-1")
    assert (recorded is not None) is served.offers_services


def test_what_the_registry_does_not_know_is_not_recorded(room: Room) -> None:
    assert room.registry.execute("nobody", {"parameters": {}, "triggeredBy": "tests", "executionContext": {}}, "run-1") is None
    assert room.registry.report_status("00000000-0000-0000-0000-000000000000", {"status": "completed"}) is False


def test_the_path_for_statuses_that_works_is_remembered(served: ServedConfiguration, room: Room) -> None:
    room.registry.register(flow_document())
    served.activate("prices")
    execution_id = room.registry.execute("prices", {"parameters": {}, "triggeredBy": "tests", "executionContext": {}}, "run-1")
    assert execution_id is not None
    room.registry.report_status(execution_id, {"status": "completed"})
    assert room.transport.offers.is_missing(Endpoint.EXECUTION_STATUS) is not served.offers_services
