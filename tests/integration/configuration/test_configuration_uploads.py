"""Flows registered while the registry is down, over a real PostgreSQL and the platform's double: accepted, run, uploaded, never lost."""

from typing import Any

import pytest
from sqlalchemy import text

from gateway.configuration.errors import ConfigurationUnavailable, CredentialsRefused, FlowExists, FlowNotFound, FlowRefused
from gateway.configuration.model import CopyState, FlowFilters
from gateway.executions.ports import StartReport
from gateway.flows.errors import FlowInvalid
from tests.doubles.platform_configuration_service import PlatformConfigurationService
from tests.fakes.clock import FakeClock
from tests.fakes.configuration_room import Room
from tests.fakes.registered_flows import flow_document


def rung(room: Room) -> list[tuple[str, Any, float]]:
    """Task, arguments and the seconds until due of each message in the outbox."""
    with room.postgres.transaction() as connection:
        rows = connection.execute(text("SELECT task, arguments, extract(epoch FROM due_at - created_at) AS wait FROM outbox ORDER BY id"))
        return [(row.task, row.arguments, float(row.wait)) for row in rows]


def clear_outbox(room: Room) -> None:
    with room.postgres.transaction() as connection:
        connection.execute(text("DELETE FROM outbox"))


def state_of(room: Room, flow_id: str = "prices") -> tuple[str, str | None]:
    with room.postgres.transaction() as connection:
        row = connection.execute(text("SELECT state, problem FROM known_copies WHERE kind = 'flow' AND key = :key"), {"key": flow_id}).one()
        return row.state, row.problem


def back(platform: PlatformConfigurationService, clock: FakeClock) -> None:
    platform.start()
    clock.advance(10)


def test_a_flow_is_stored_in_the_registry_while_that_is_up(room: Room, platform: PlatformConfigurationService) -> None:
    registered = room.flows.register(flow_document())
    assert not registered.pending
    assert registered.document["status"] == "draft"
    assert platform.flows["prices"]["name"] == "Flow prices"
    assert rung(room) == []
    assert room.flows.get_flow("prices").value.id == "prices"


def test_a_flow_is_accepted_and_its_upload_rung_for_while_the_registry_is_down(
    room: Room, other: Room, platform: PlatformConfigurationService
) -> None:
    platform.stop()
    registered = room.flows.register(flow_document())
    assert registered.pending
    assert rung(room) == [("flows.upload", {"flow_id": "prices"}, 0.0)]
    for process in (room, other):
        known = process.flows.get_flow("prices")
        assert (known.value.id, known.state) == ("prices", CopyState.PENDING)
    page = other.flows.list_flows(FlowFilters(status="draft"), 1, 10)
    assert [document["id"] for document in page.value.documents] == ["prices"]
    assert page.stale


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_a_registry_that_fails_counts_as_down(room: Room, platform: PlatformConfigurationService, status: int) -> None:
    platform.failing_with = status
    assert room.flows.register(flow_document()).pending


def test_a_registry_that_refuses_our_credentials_is_said(room: Room, platform: PlatformConfigurationService) -> None:
    platform.failing_with = 401
    with pytest.raises(CredentialsRefused):
        room.flows.register(flow_document())
    assert rung(room) == []


def test_the_upload_makes_it_known(room: Room, other: Room, platform: PlatformConfigurationService, clock: FakeClock) -> None:
    platform.stop()
    room.flows.register(flow_document())
    back(platform, clock)
    other.flows.upload("prices")
    assert "prices" in platform.flows
    assert state_of(room) == ("known", None)
    assert room.flows.get_document("prices").state is CopyState.KNOWN
    other.flows.upload("prices")
    assert platform.count("POST", "/api/v1/flows") == 1, "ringing twice is harmless"


def test_until_it_is_uploaded_it_can_be_read_although_the_registry_is_back(
    room: Room, other: Room, platform: PlatformConfigurationService, clock: FakeClock
) -> None:
    platform.stop()
    room.flows.register(flow_document())
    back(platform, clock)
    for process in (room, other):
        known = process.flows.get_document("prices")
        assert (known.value["id"], known.state) == ("prices", CopyState.PENDING)
    room.upkeep.step()
    assert state_of(room) == ("pending", None)


def test_an_upload_that_fails_is_rung_for_later_and_later(room: Room, platform: PlatformConfigurationService, clock: FakeClock) -> None:
    platform.stop()
    room.flows.register(flow_document())
    clear_outbox(room)
    for _ in range(8):
        clock.advance(100)
        room.flows.upload("prices")
    assert [wait for _, _, wait in rung(room)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert state_of(room) == ("pending", None)


def test_an_upload_whose_answer_got_lost_ends_well(room: Room, platform: PlatformConfigurationService, clock: FakeClock) -> None:
    platform.stop()
    room.flows.register(flow_document())
    platform.flows["prices"] = {**flow_document(), "status": "draft", "description": None, "createdAt": "2026-01-01T00:00:00Z"}
    back(platform, clock)
    room.flows.upload("prices")
    assert state_of(room) == ("known", None)


def test_another_flow_of_the_same_id_is_a_conflict_that_stays_visible(
    room: Room, platform: PlatformConfigurationService, clock: FakeClock
) -> None:
    platform.stop()
    room.flows.register(flow_document())
    platform.flows["prices"] = {**flow_document(name="Theirs"), "status": "draft"}
    back(platform, clock)
    room.flows.upload("prices")
    assert state_of(room) == ("conflicted", "The registry holds another flow of this id")
    assert room.flows.get_document("prices").value["name"] == "Flow prices"
    clock.advance(60)
    assert room.flows.get_document("prices").value["name"] == "Theirs", "the registry is the truth"
    room.upkeep.step()
    assert state_of(room)[0] == "conflicted", "what was accepted here is not lost"
    assert room.health.snapshot()["waitingFlows"] == {"conflicted": 1}


def test_another_flow_of_the_same_name_and_version_is_a_conflict_that_can_be_read(
    room: Room, other: Room, platform: PlatformConfigurationService, clock: FakeClock
) -> None:
    platform.stop()
    room.flows.register(flow_document())
    platform.flows["theirs"] = {**flow_document("theirs", name="Flow prices"), "status": "draft"}
    back(platform, clock)
    room.flows.upload("prices")
    known = other.flows.get_document("prices")
    assert (known.state, known.problem) == (CopyState.CONFLICTED, "The registry holds another flow of this name and version")


def test_registering_a_corrected_flow_ends_a_conflict(room: Room, platform: PlatformConfigurationService, clock: FakeClock) -> None:
    platform.stop()
    room.flows.register(flow_document())
    platform.flows["theirs"] = {**flow_document("theirs", name="Flow prices"), "status": "draft"}
    back(platform, clock)
    room.flows.upload("prices")
    assert not room.flows.register(flow_document(version="1.0.1")).pending
    room.copies.flush()
    assert state_of(room) == ("known", None)


def test_a_flow_that_the_registrys_own_rules_refuse_stays_with_the_reason(
    room: Room, platform: PlatformConfigurationService, clock: FakeClock
) -> None:
    platform.stop()
    room.flows.register(flow_document(status="active"))
    back(platform, clock)
    room.flows.upload("prices")
    state, problem = state_of(room)
    assert state == "refused"
    assert '/status "status" is not allowed' in str(problem)
    platform.stop()
    assert room.flows.register(flow_document()).pending, "a corrected one takes its place"
    assert state_of(room) == ("pending", None)


def test_the_same_refusal_is_told_at_once_while_the_registry_is_up(room: Room) -> None:
    with pytest.raises(FlowRefused) as caught:
        room.flows.register(flow_document(status="active"))
    assert [error.pointer for error in caught.value.errors] == ["/status"]


@pytest.mark.parametrize("again", [flow_document(), flow_document("other", name="Flow prices")], ids=["id", "name and version"])
def test_what_is_taken_is_taken_also_while_the_registry_is_down(
    room: Room, other: Room, platform: PlatformConfigurationService, again: dict[str, Any]
) -> None:
    room.flows.register(flow_document())
    room.copies.flush()
    platform.stop()
    with pytest.raises(FlowExists):
        other.flows.register(again)


def test_a_flow_that_waits_holds_its_id_also_while_the_registry_is_back(
    room: Room, other: Room, platform: PlatformConfigurationService, clock: FakeClock
) -> None:
    platform.stop()
    room.flows.register(flow_document())
    back(platform, clock)
    with pytest.raises(FlowExists):
        other.flows.register(flow_document(name="Another"))
    assert platform.flows == {}


def test_doorbells_that_got_lost_are_rung_again(room: Room, platform: PlatformConfigurationService, clock: FakeClock) -> None:
    platform.stop()
    room.flows.register(flow_document())
    clear_outbox(room)
    room.upkeep.step()
    assert rung(room) == []
    clock.advance(31)
    room.upkeep.step()
    assert rung(room) == [("flows.upload", {"flow_id": "prices"}, 0.0)]
    assert room.uploads.sweep() == 0


def test_nothing_is_stored_of_a_flow_that_can_never_run(room: Room, platform: PlatformConfigurationService) -> None:
    platform.stop()
    for bad in ({}, [], None, flow_document(edges=[{"id": "e", "source": "first", "target": "nowhere"}]), flow_document(surprise=1)):
        with pytest.raises(FlowInvalid):
            room.flows.register(bad)
    assert rung(room) == []


@pytest.mark.parametrize("flow_id", ["health", "types"])
def test_a_reserved_id_is_refused_at_once_also_while_the_registry_is_down(
    room: Room, platform: PlatformConfigurationService, flow_id: str
) -> None:
    for stop in (lambda: None, platform.stop):
        stop()
        with pytest.raises(FlowRefused) as caught:
            room.flows.register(flow_document(flow_id))
        assert [error.pointer for error in caught.value.errors] == ["/id"]
    assert rung(room) == []


def test_a_flow_that_nobody_knows(room: Room, platform: PlatformConfigurationService) -> None:
    with pytest.raises(FlowNotFound):
        room.flows.get_flow("nobody")
    platform.stop()
    with pytest.raises(ConfigurationUnavailable):
        room.flows.get_flow("nobody")


def test_a_flow_that_was_deleted_at_the_source_is_gone(room: Room, platform: PlatformConfigurationService, clock: FakeClock) -> None:
    room.flows.register(flow_document())
    room.upkeep.step()
    platform.flows.clear()
    clock.advance(60)
    for _ in range(2):
        with pytest.raises(FlowNotFound):
            room.flows.get_document("prices")
    room.upkeep.step()
    platform.stop()
    with pytest.raises(ConfigurationUnavailable):
        room.flows.get_document("prices")


def test_validation_needs_no_registry_once_the_flow_is_known(room: Room, platform: PlatformConfigurationService) -> None:
    room.flows.register(flow_document())
    platform.stop()
    assert room.flows.validate("prices").is_valid


def test_two_uploads_at_once_store_one_flow(room: Room, other: Room, platform: PlatformConfigurationService, clock: FakeClock) -> None:
    platform.stop()
    room.flows.register(flow_document())
    back(platform, clock)
    row_of_both = room.registry.register
    room.registry.register = lambda document: (other.flows.upload("prices"), row_of_both(document))[1]  # type: ignore[method-assign]
    room.flows.upload("prices")
    assert state_of(room) == ("known", None)
    assert list(platform.flows) == ["prices"]


def test_a_run_of_a_flow_that_waits_is_told_after_its_upload(
    room: Room, other: Room, platform: PlatformConfigurationService, clock: FakeClock
) -> None:
    start = StartReport("exec-1", "exec-1", {}, "tests", {}, clock.now())
    platform.stop()
    room.flows.register(flow_document())
    back(platform, clock)
    with pytest.raises(ConfigurationUnavailable):
        other.reports.report_started("prices", start)
    other.flows.upload("prices")
    assert other.reports.report_started("prices", start) is None, "the platform records no run of a draft, and that is final"
