"""Counting in memory: added up by fingerprint, bounded, and nothing raw is kept."""

import threading
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.recovery.model import Action, FlowOrigin
from gateway.recovery.patterns.buffer import MAX_OUTCOMES, PatternBuffer
from gateway.recovery.patterns.model import Batch
from gateway.recovery.patterns.rows import from_line, to_line
from tests.fakes.patterns import fault

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_faults_of_one_cause_are_one_sighting_with_three_redacted_samples() -> None:
    buffer = PatternBuffer()
    fresh = [
        buffer.add_fault(fault(f"user bob{number} of 10.0.0.{number} lost 'secret{number}'"), START + timedelta(seconds=number))
        for number in range(5)
    ]
    assert fresh == [True, False, False, False, False]
    (seen,), outcomes = buffer.take()
    assert (seen.count, seen.first_seen_at, seen.last_seen_at) == (5, START, START + timedelta(seconds=4))
    assert len(seen.samples) == 3
    assert "bob" not in repr(seen)
    assert "secret" not in repr(seen)
    assert outcomes == ()
    assert buffer.take() == ((), ())


def test_beyond_its_bound_a_fault_counts_for_its_source() -> None:
    buffer = PatternBuffer(max_fingerprints=2)
    for word in ("burnt", "drowned", "frozen", "melted"):
        buffer.add_fault(fault(f"the disk has {word}"), START)
    sightings, _ = buffer.take()
    assert [(each.facts.is_other, each.count) for each in sightings] == [(False, 1), (False, 1), (True, 2)]


def test_an_outcome_that_found_no_room_is_counted() -> None:
    buffer = PatternBuffer()
    for number in range(MAX_OUTCOMES + 3):
        buffer.add_outcome(f"v1-{number}", Action.RETRY, success=True, duration_ms=1.0, at=START)
    buffer.add_outcome("v1-0", Action.RETRY, success=True, duration_ms=1.0, at=START)
    assert len(buffer.take()[1]) == MAX_OUTCOMES
    assert (buffer.take_dropped(), buffer.take_dropped()) == (3, 0)


def test_a_fault_in_a_flow_tells_where() -> None:
    buffer = PatternBuffer()
    buffer.add_fault(fault(origin=FlowOrigin("greeting", "run-1", "greet"), target="service:orders"), START)
    sample = buffer.take()[0][0].samples[0]
    assert (sample.flow_id, sample.node_id, sample.target) == ("greeting", "greet", "service:orders")


def test_many_threads_lose_nothing() -> None:
    buffer, one = PatternBuffer(), fault()
    threads = [threading.Thread(target=lambda: [buffer.add_fault(one, START) for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert buffer.take()[0][0].count == 2000


@given(st.text(max_size=200), st.text(min_size=1, max_size=20), st.booleans())
def test_a_batch_survives_the_local_spool(text: str, source: str, success: bool) -> None:
    buffer = PatternBuffer()
    known = fault(text, source=source)
    buffer.add_fault(known, START)
    buffer.add_outcome(known.fingerprint, Action.RETRY, success=success, duration_ms=12.5, at=START)
    batch = Batch("b", *buffer.take())
    assert from_line(to_line(batch)) == batch


def test_a_line_of_another_version_is_no_batch() -> None:
    assert from_line({"id": "x"}) is None
    assert from_line({"id": "x", "sightings": [{"facts": {"unknown": 1}}], "outcomes": []}) is None
