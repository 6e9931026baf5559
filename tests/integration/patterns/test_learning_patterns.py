"""Learning over a real PostgreSQL: counts add up over workers, each batch once, whatever fails in between."""

import random
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg2
import pytest
import structlog

from benchmarks.causes import CAUSES, Values
from benchmarks.patterns import measure
from gateway.databases.errors import DatabaseUnreachable, StatementInvalid
from gateway.recovery.classify import classify
from gateway.recovery.ledger.model import ITSELF, Ended, Intent, RecoveryStatus
from gateway.recovery.model import Action, FaultType, FlowOrigin
from gateway.recovery.patterns.errors import PatternNotFound
from gateway.recovery.patterns.model import Batch, Sighting, facts_of
from gateway.recovery.patterns.rows import to_line
from gateway.spool import FileSpool
from tests.fakes.clock import FakeClock
from tests.fakes.patterns import InMemoryIndex, PatternsRoom, fault

RETRY = {"action": Action.RETRY, "success": True, "duration_ms": 120.0}
Workers = Callable[..., PatternsRoom]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def worker(postgres_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Workers]:
    """Makes workers over one database; each has a spool of its own unless told otherwise."""
    made: list[PatternsRoom] = []

    def make(directory: str | None = None, **options: object) -> PatternsRoom:
        made.append(PatternsRoom(postgres_url, tmp_path / (directory or str(len(made))), clock, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for room in made:
        room.close()


def test_what_two_workers_saw_adds_up(worker: Workers, clock: FakeClock) -> None:
    one, other = worker(), worker()
    for _ in range(3):
        one.patterns.observe(fault("user bob7 is on fire"))
    clock.advance(60)
    for _ in range(4):
        other.patterns.observe(fault("user eve8 is on fire"))
    one.patterns.flush()
    other.patterns.flush()
    view = one.patterns.get(fault("user x1 is on fire").fingerprint)
    assert view.pattern.count == 7
    assert view.pattern.last_seen_at - view.pattern.first_seen_at == timedelta(seconds=60)
    assert len(view.pattern.samples) == 3
    assert "bob" not in repr(view)


def test_workers_that_tell_at_once_lose_and_double_nothing(worker: Workers) -> None:
    rooms = [worker() for _ in range(4)]
    words = ("burnt", "drowned", "melted", "frozen", "rusted", "bent")

    def work(room: PatternsRoom, seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(10):
            for word in dice.sample(words, 4):
                room.patterns.observe(fault(f"the disk has {word}"))
                room.patterns.record_outcome(fault(f"the disk has {word}").fingerprint, **RETRY)
            room.patterns.flush()

    threads = [threading.Thread(target=work, args=(room, seed)) for seed, room in enumerate(rooms)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for room in rooms:
        room.patterns.flush()
    page = rooms[0].patterns.list_patterns(fault_type=None, source=None, limit=100, offset=0)
    assert sum(view.pattern.count for view in page.views) == 4 * 10 * 4
    assert sum(outcome.evidence.attempts for view in page.views for outcome in view.outcomes) == 4 * 10 * 4


def test_postgresql_away_delays_and_loses_nothing(worker: Workers) -> None:
    room, one = worker(), fault()
    room.postgres.down = True
    for _ in range(3):
        room.patterns.observe(one)
        room.patterns.record_outcome(one.fingerprint, **RETRY)
        room.patterns.flush()
    assert room.spool.waiting_bytes()
    room.postgres.down = False
    room.patterns.observe(one)
    room.patterns.flush()
    view = room.patterns.get(one.fingerprint)
    assert view.pattern.count == 4
    assert [each.evidence.attempts for each in view.outcomes] == [3]
    assert room.spool.waiting_bytes() == 0


def test_a_commit_whose_answer_got_lost_counts_once(worker: Workers) -> None:
    room, one = worker(), fault()
    room.postgres.deaf = True
    room.patterns.observe(one)
    room.patterns.flush()
    room.postgres.deaf = False
    room.patterns.flush()
    assert room.count(one) == 1


def test_a_spool_that_is_full_leaves_it_in_memory(worker: Workers, clock: FakeClock) -> None:
    room, one = worker(spool_bytes=0), fault()
    room.postgres.down = True
    for _ in range(5):
        room.patterns.observe(one)
        room.patterns.flush()
    room.postgres.down = False
    clock.advance(60)  # the breaker lets a probe through
    room.patterns.stop()
    assert worker().count(one) == 5


def test_what_a_process_left_behind_is_told_by_the_next(worker: Workers) -> None:
    first, one = worker("shared"), fault()
    first.postgres.down = True
    first.patterns.observe(one)
    first.patterns.stop()
    second = worker("shared")
    second.patterns.observe(one)
    second.patterns.flush()
    assert second.count(one) == 2


def test_a_batch_that_postgresql_can_never_take_is_not_tried_for_ever(worker: Workers, clock: FakeClock) -> None:
    room, one = worker(), fault()
    impossible = Sighting(facts_of(fault("the disk has melted")), 2**70, clock.now(), clock.now())
    room.spool.append([to_line(Batch(str(uuid.uuid4()), (impossible,)))])
    room.patterns.observe(one)
    room.patterns.flush()
    assert room.count(one) == 1
    assert room.spool.waiting_bytes() == 0


def test_what_no_text_can_hold_is_replaced(worker: Workers) -> None:
    room, one = worker(), fault("a\x00b is \ud800 gone", source="a\x00b")
    room.patterns.observe(one)
    room.patterns.flush()
    assert room.count(one) == 1


def test_a_source_that_has_its_fill_counts_in_its_other_bucket(worker: Workers) -> None:
    room = worker(max_per_source=2)
    words = ("burnt", "drowned", "melted", "frozen")
    for number, word in enumerate(words):
        for _ in range(4 - number):
            room.patterns.observe(fault(f"the disk has {word}"))
    room.patterns.record_outcome(fault("the disk has frozen").fingerprint, **RETRY)
    room.patterns.flush()
    room.patterns.observe(fault("another source is fine", source="clickhouse"))
    room.patterns.observe(fault("the disk has bent"))
    room.patterns.flush()
    page = room.patterns.list_patterns(fault_type=None, source="redis", limit=10, offset=0)
    counts = {view.pattern.facts.is_other: view.pattern.count for view in page.views}
    assert (page.total, counts[True]) == (3, 2 + 1 + 1)
    assert page.views[0].outcomes or page.views[1].outcomes or page.views[2].outcomes
    with pytest.raises(PatternNotFound):
        room.patterns.get(fault("the disk has bent").fingerprint)


def test_learning_suggests_what_heals(worker: Workers, clock: FakeClock) -> None:
    teller, asker, one = worker(), worker(), fault()
    for number in range(20):
        teller.patterns.record_outcome(one.fingerprint, Action.RETRY, success=number < 18, duration_ms=100 + number)
    teller.patterns.observe(one)
    teller.patterns.flush()
    assert asker.patterns.suggest(one).reason == "default"
    asker.patterns.flush()
    suggested = asker.patterns.suggest(one)
    assert (suggested.action, suggested.reason, suggested.tries) == (Action.RETRY, "learned", 20)
    assert asker.patterns.get(one.fingerprint).suggestion == suggested
    clock.advance(30 * 86_400)
    assert asker.patterns.suggest(one).reason == "default"


def test_the_allow_list_bounds_what_is_learned(worker: Workers) -> None:
    room, one = worker(allowed=frozenset({Action.WAIT})), fault()
    for _ in range(30):
        room.patterns.record_outcome(one.fingerprint, **RETRY)
    room.patterns.observe(one)
    room.patterns.flush()
    assert room.patterns.suggest(one).action is not Action.RETRY


def test_related_patterns_are_shown_and_the_chain_falls_back(worker: Workers) -> None:
    remote = InMemoryIndex()
    room = worker(remote=remote)
    for text in ("the cache is on fire", "the cache is on fire again", "statement has a syntax mistake"):
        room.patterns.observe(fault(text))
    room.patterns.flush()
    asked = fault("the cache is on fire").fingerprint
    view = room.patterns.get(asked)
    assert [each.template for each in view.related] == ["the cache is on fire again"]
    assert view.related_by == "weaviate"
    remote.down = True
    fallen_back = room.patterns.get(asked)
    assert fallen_back.related == view.related
    assert fallen_back.related_by == "postgres"


def test_weaviate_that_was_away_or_emptied_gets_every_point(worker: Workers, clock: FakeClock) -> None:
    remote = InMemoryIndex(down=True)
    room = worker(remote=remote)
    room.patterns.observe(fault("the cache is on fire"))
    room.patterns.flush()
    remote.down = False
    clock.advance(60)
    room.patterns.flush()
    assert len(remote.points) == 1
    remote.points.clear()
    remote.prepared = False
    clock.advance(60)
    room.patterns.flush()
    assert len(remote.points) == 1


def test_patterns_not_seen_for_long_are_forgotten_everywhere(worker: Workers, clock: FakeClock) -> None:
    remote = InMemoryIndex()
    room, old, new = worker(remote=remote), fault("the cache is on fire"), fault("the disk has melted")
    room.patterns.observe(old)
    room.patterns.record_outcome(old.fingerprint, **RETRY)
    room.patterns.flush()
    clock.advance(91 * 86_400)
    room.patterns.observe(new)
    room.patterns.flush()
    assert set(remote.points) == {new.fingerprint}
    with pytest.raises(PatternNotFound):
        room.patterns.get(old.fingerprint)


def test_lists_are_filtered_and_paged(worker: Workers, clock: FakeClock) -> None:
    room = worker()
    for source in ("redis", "clickhouse"):
        for word in ("burnt", "melted"):
            clock.advance(1)
            room.patterns.observe(fault(f"the disk has {word}", source=source))
    room.patterns.flush()
    first = room.patterns.list_patterns(fault_type=None, source=None, limit=3, offset=0)
    rest = room.patterns.list_patterns(fault_type=None, source=None, limit=3, offset=3)
    assert (first.total, len(first.views), len(rest.views)) == (4, 3, 1)
    assert first.views[0].pattern.facts.template == "the disk has melted"
    only = room.patterns.list_patterns(fault_type="UNKNOWN_ERROR", source="redis", limit=10, offset=0)
    assert {view.pattern.facts.source for view in only.views} == {"redis"}
    assert room.patterns.list_patterns(fault_type="TIMEOUT_ERROR", source=None, limit=10, offset=0).total == 0


def test_five_thousand_errors_of_sixty_causes(worker: Workers) -> None:
    """The figure of the bench, smaller: the quality is the same."""
    room, dice = worker(), random.Random(7)
    values = Values(dice)
    groups: Counter[tuple[str, str]] = Counter()
    for _ in range(5000):
        cause = dice.choice(CAUSES)
        one = classify(cause.make(values), source=cause.source)
        groups[cause.name, one.fingerprint] += 1
        room.patterns.observe(one)
    room.patterns.flush()
    quality = measure(groups)
    assert quality.f1 >= 0.95
    assert quality.wrong_merges <= 0.01
    page = room.patterns.list_patterns(fault_type=None, source=None, limit=100, offset=0)
    assert page.total == quality.patterns <= 72
    assert sum(view.pattern.count for view in page.views) == 5000


@pytest.mark.parametrize(
    ("status", "healed_by", "failed", "counted"),
    [
        (RecoveryStatus.RECOVERED, "reconnect_database", [], {"reconnect_database": (1, 1)}),
        (
            RecoveryStatus.RECOVERED,
            "retry",
            [Action.RECONNECT_DATABASE, Action.RETRY, Action.RECONNECT_DATABASE],
            {"reconnect_database": (1, 0), "retry": (1, 1)},
        ),
        (RecoveryStatus.FAILED, None, [Action.RECONNECT_DATABASE, Action.RETRY], {"reconnect_database": (1, 0), "retry": (1, 0)}),
        (RecoveryStatus.FAILED, None, [], {}),  # no worker ever took it
        (RecoveryStatus.RECOVERED, ITSELF, [Action.RECONNECT_DATABASE], {}),
        (RecoveryStatus.SUPERSEDED, None, [], {}),
    ],
)
def test_a_recovery_that_ended_tells_of_its_actions(
    worker: Workers, status: RecoveryStatus, healed_by: str | None, failed: list[Action], counted: dict[str, tuple[int, int]]
) -> None:
    clock = FakeClock()
    room, one = worker(), fault(target="database:redis")
    kind = (one.type.value, one.category.value, one.severity.value, one.source, one.fingerprint)
    intent = Intent("database:redis", *kind, Action.RECONNECT_DATABASE, clock.now())
    room.patterns.observe(one)
    room.patterns.recovery_ended(Ended(intent, status, clock.now() + timedelta(seconds=2), healed_by, tuple(failed)))
    room.patterns.flush()
    tried = room.patterns.get(one.fingerprint).outcomes
    assert {each.action.value: (each.evidence.attempts, each.evidence.successes) for each in tried} == counted


def test_only_what_was_learned_is_offered_to_decide(worker: Workers) -> None:
    room, one = worker(), fault()
    assert room.patterns.find_learned(one) is None
    for _ in range(20):
        room.patterns.record_outcome(one.fingerprint, **RETRY)
    room.patterns.flush()
    assert room.patterns.find_learned(one) is Action.RETRY


def test_what_no_table_knows_is_what_said_the_same_before(worker: Workers) -> None:
    one, other = worker(), worker()
    unheard_of = psycopg2.Error("the moon of 10.0.0.7 is full")
    assert one.patterns.classify(unheard_of).type is FaultType.UNKNOWN
    for error in (DatabaseUnreachable("postgres", "PostgreSQL cannot be reached"), StatementInvalid("postgres", "Wrong")):
        error.__cause__ = psycopg2.Error("the moon of db-4.example.com is full")
        one.patterns.observe(classify(error))
        one.patterns.observe(one.patterns.classify(unheard_of))
    one.patterns.flush()
    other.patterns.flush()
    learned = other.patterns.classify(unheard_of, origin=FlowOrigin("flow", "execution", "node"))
    assert (learned.type, learned.retryable, learned.origin) == (
        FaultType.DATABASE_CONNECTION,
        True,
        FlowOrigin("flow", "execution", "node"),
    )
    assert other.patterns.classify(psycopg2.Error("the sun is full")).type is FaultType.UNKNOWN


def test_a_refused_call_is_no_sighting(worker: Workers) -> None:
    room, one = worker(), fault()
    room.patterns.observe(one)
    room.patterns.observe(replace(fault(), refused=True, cause=one))
    room.patterns.observe(replace(fault(), refused=True))
    room.patterns.flush()
    assert [view.pattern.count for view in room.patterns.list_patterns(fault_type=None, source=None, limit=10, offset=0).views] == [1]


def test_an_alternative_is_explored_until_it_has_enough_tries(worker: Workers) -> None:
    room, one = worker(explore_share=1.0), fault(target="database:redis")
    assert room.patterns.explore(one, Action.RECONNECT_DATABASE) is Action.RETRY
    for _ in range(20):
        room.patterns.record_outcome(one.fingerprint, **RETRY)
    room.patterns.flush()
    assert room.patterns.explore(one, Action.RECONNECT_DATABASE) is Action.RECONNECT_DATABASE


def test_a_line_that_another_version_wrote_is_not_lost_silently(worker: Workers, tmp_path: Path) -> None:
    at = FakeClock().now()
    newer = FileSpool(tmp_path / "shared", "patterns", 10_000)
    newer.append([{"id": "x"}, to_line(Batch(str(uuid.uuid4()), (Sighting(facts_of(fault()), 2, at, at),)))])
    newer.close()
    room = worker("shared")
    with structlog.testing.capture_logs() as logs:
        room.patterns.flush()
    assert room.count(fault()) == 2
    assert [entry["count"] for entry in logs if entry["event"] == "pattern_lines_unreadable"] == [1]
