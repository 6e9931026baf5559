"""Last-known-good copies over a real PostgreSQL: they outlive the process, and PostgreSQL never stands in the way of a read."""

from contextlib import closing
from random import Random

import pytest
from sqlalchemy import text

from gateway.configuration.errors import ConfigNotFound, ConfigurationUnavailable
from gateway.configuration.memory import Kind
from gateway.configuration.model import Source
from gateway.configuration.postgres import KnownCopyStore
from gateway.configuration.unwritten import BATCH_BYTES
from gateway.databases.errors import DatabaseError
from gateway.recovery.targets import DATABASE_POLICY
from tests.doubles.platform_configuration_service import PlatformConfigurationService
from tests.doubles.raw_server import RawServer
from tests.fakes.clock import FakeClock
from tests.fakes.configuration_room import Room, build_room
from tests.fakes.registered_flows import flow_document


def count_rows(room: Room) -> int:
    with room.postgres.transaction() as connection:
        return int(connection.execute(text("SELECT count(*) FROM known_copies")).scalar_one())


def test_a_copy_outlives_the_process(room: Room, other: Room, platform: PlatformConfigurationService, clock: FakeClock) -> None:
    room.configuration.get_value("k", tenant_id="t")
    room.upkeep.step()
    platform.stop()
    clock.advance(3600)
    known = other.configuration.get_value("k", tenant_id="t")
    assert (known.value.value, known.age_seconds, known.stale, known.source) == ("v", 3600.0, True, Source.LAST_KNOWN_GOOD)
    with pytest.raises(ConfigurationUnavailable):
        other.configuration.get_value("k")


@pytest.mark.parametrize("key", ["db.password", "API_KEY", "stripe-secret", "auth.token", "aws.accessKey"])
def test_a_secret_is_never_written_down(room: Room, platform: PlatformConfigurationService, key: str) -> None:
    platform.config[key] = "hunter2"
    room.configuration.get_value(key)
    room.upkeep.step()
    assert count_rows(room) == 0


def test_a_deleted_value_is_deleted_here(room: Room, other: Room, platform: PlatformConfigurationService, clock: FakeClock) -> None:
    room.configuration.get_value("k")
    room.upkeep.step()
    del platform.config["k"]
    with pytest.raises(ConfigNotFound):
        other.configuration.get_value("k")  # a process that never held the copy itself
    other.upkeep.step()
    assert count_rows(room) == 0


def test_an_unchanged_copy_is_written_at_most_once_a_minute(room: Room, clock: FakeClock) -> None:
    written = []
    for _ in range(13):
        room.configuration.get_value("k")
        written.append(room.copies.flush())
        clock.advance(6)
    assert written == [1, *[0] * 9, 1, 0, 0]


def test_a_value_that_changed_and_changed_back_stands_in_the_row_again(room: Room, other: Room, clock: FakeClock) -> None:
    for who, value in ((room, "v"), (other, "new"), (room, "v")):
        who.copies.find_newest(Kind.CONFIG, "k")  # as while the service is away, or from the shared cache
        who.copies.remember(Kind.CONFIG, "k", {"key": "k", "value": value})
        who.copies.flush()
        clock.advance(10)
    row = other.copies.find_row(Kind.CONFIG, "k")
    assert row is not None
    assert row.body["value"] == "v"


def test_large_copies_are_written_in_batches_bounded_by_size(room: Room) -> None:
    for number in range(5):
        room.copies.remember(Kind.CONFIG, str(number), {"key": "k", "value": "x" * (BATCH_BYTES // 2)})
    assert [room.copies.flush() for _ in range(6)] == [1, 1, 1, 1, 1, 0]
    assert count_rows(room) == 5


def test_an_older_copy_never_replaces_a_newer_one(
    room: Room, other: Room, platform: PlatformConfigurationService, clock: FakeClock
) -> None:
    room.configuration.get_value("k")
    clock.advance(10)
    platform.config["k"] = "new"
    other.configuration.get_value("k")
    other.copies.flush()
    room.copies.flush()
    with room.postgres.transaction() as connection:
        assert [row.body["value"] for row in KnownCopyStore(connection).list_kind(Kind.CONFIG, 10)] == ["new"]


def test_of_two_processes_both_serve_the_newer_copy(
    room: Room, other: Room, platform: PlatformConfigurationService, clock: FakeClock
) -> None:
    room.configuration.get_value("k")
    clock.advance(10)
    platform.config["k"] = "new"
    other.configuration.get_value("k")
    other.upkeep.step()
    platform.stop()
    clock.advance(20)
    known = [each.configuration.get_value("k") for each in (room, other)]
    assert [(each.value.value, each.age_seconds, each.stale) for each in known] == [("new", 20.0, True)] * 2


def test_an_older_row_takes_no_copys_place(room: Room, other: Room, platform: PlatformConfigurationService, clock: FakeClock) -> None:
    other.configuration.get_value("k")
    other.upkeep.step()
    clock.advance(10)
    platform.config["k"] = "new"
    room.configuration.get_value("k")
    platform.stop()
    clock.advance(20)
    assert room.configuration.get_value("k").value.value == "new"


def test_an_unchanged_value_is_as_old_as_its_last_confirmation(
    room: Room, platform: PlatformConfigurationService, clock: FakeClock
) -> None:
    for _ in range(5):
        room.configuration.get_value("k")
        room.upkeep.step()
        clock.advance(10)
    platform.stop()
    assert room.configuration.get_value("k").age_seconds == 10.0, "the row, written once in a minute, says 50"


def test_a_row_is_looked_at_once_in_a_while(
    room: Room, platform: PlatformConfigurationService, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    find_row = room.copies.find_row
    monkeypatch.setattr(room.copies, "find_row", lambda kind, key: (looked.append(key), find_row(kind, key))[1])
    room.configuration.get_value("k")
    platform.stop()
    clock.advance(10)
    for _ in range(20):
        assert room.configuration.get_value("k").stale
    assert len(looked) == 1
    clock.advance(1)
    room.configuration.get_value("k")
    assert len(looked) == 2


def test_a_postgresql_that_cannot_be_read_is_left_alone_by_who_holds_a_copy(
    platform: PlatformConfigurationService, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(build_room(platform.url, clock, postgres_url="postgresql://nobody@127.0.0.1:1/none")) as room:
        platform.config |= {f"k{number}": number for number in range(10)}
        for number in range(10):
            room.configuration.get_value(f"k{number}")
        platform.stop()
        clock.advance(10)
        asked: list[float] = []
        transaction = room.postgres.transaction
        monkeypatch.setattr(room.postgres, "transaction", lambda **options: (asked.append(1), transaction(**options))[1])
        assert all(room.configuration.get_value(f"k{number}").stale for number in range(10))
        assert len(asked) == 1


def test_what_postgresql_cannot_hold_delays_nothing_else(room: Room, platform: PlatformConfigurationService) -> None:
    platform.config |= {"nul": "a\0b", "other": 1}
    for key in ("k", "nul", "other"):
        room.configuration.get_value(key)
    room.upkeep.step()
    assert count_rows(room) == 2
    assert room.copies.flush() == 0


def test_a_key_too_long_for_an_index_delays_nothing_else(room: Room, platform: PlatformConfigurationService) -> None:
    draw = Random(1)
    key, environment, tenant_id, user_id = (
        "".join(chr(draw.randrange(0x20000, 0x32000)) for _ in range(length)) for length in (255, 100, 100, 100)
    )
    platform.config[key] = 1
    room.configuration.get_value(key, environment=environment, tenant_id=tenant_id, user_id=user_id)
    room.configuration.get_value("k")
    room.upkeep.step()
    assert count_rows(room) == 1
    assert room.copies.flush() == 0


def test_old_rows_are_pruned(room: Room, clock: FakeClock) -> None:
    for number in range(5):
        room.copies.remember(Kind.CONFIG, str(number), {"key": "k", "value": number})
        clock.advance(1)
    room.copies.flush()
    with room.postgres.transaction() as connection:
        store = KnownCopyStore(connection)
        assert store.prune(Kind.CONFIG, 10) == 0
        assert store.prune(Kind.CONFIG, 2) == 3
        assert [row.body["value"] for row in store.list_kind(Kind.CONFIG, 10)] == [4, 3]


def test_without_postgresql_every_read_still_works(platform: PlatformConfigurationService, clock: FakeClock) -> None:
    with closing(build_room(platform.url, clock, postgres_url="postgresql://nobody@127.0.0.1:1/none")) as room:
        platform.flows["prices"] = flow_document(status="draft")
        assert room.configuration.get_value("k").value.value == "v"
        assert room.flows.get_flow("prices").value.id == "prices"
        assert room.upkeep.step() > 0
        platform.stop()
        clock.advance(100)
        assert room.configuration.get_value("k").stale
        assert room.flows.get_flow("prices").stale
        with pytest.raises(ConfigurationUnavailable):
            room.configuration.get_value("never.read")
        with pytest.raises(DatabaseError):
            room.flows.register(flow_document("new"))


def test_a_hung_postgresql_slows_a_few_reads_and_then_none(platform: PlatformConfigurationService, clock: FakeClock) -> None:
    platform.stop()
    with (
        RawServer(lambda sock: sock.recv(1) and sock.recv(1_000_000) and sock.recv(1)) as hung,
        closing(build_room(platform.url, clock, postgres_url=hung.url.replace("http://", "postgresql://nobody@") + "/none")) as room,
    ):
        for _ in range(DATABASE_POLICY.minimum_calls):
            with pytest.raises(ConfigurationUnavailable):
                room.configuration.get_value("k")
        asked = hung.connections
        for _ in range(50):
            with pytest.raises(ConfigurationUnavailable):
                room.configuration.get_value("k")
        assert hung.connections == asked, "PostgreSQL is left alone"


def test_what_was_not_written_is_written_when_postgresql_can_again(room: Room) -> None:
    room.configuration.get_value("k")
    with room.postgres.transaction() as connection:
        connection.execute(text("ALTER TABLE known_copies RENAME TO hidden"))
    assert room.upkeep.step() == 5
    with room.postgres.transaction() as connection:
        connection.execute(text("ALTER TABLE hidden RENAME TO known_copies"))
    room.upkeep.step()
    assert count_rows(room) == 1


def test_stopping_writes_what_is_left(room: Room) -> None:
    for number in range(3):
        room.copies.remember(Kind.CONFIG, str(number), {"key": "k", "value": "x" * BATCH_BYTES})
    room.upkeep.stop()
    assert count_rows(room) == 3
