"""Evidence merges in any order, fades, and says how sure it is."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.recovery.patterns.evidence import Evidence, evidence_of, fade, lower_bound, median_ms

START = datetime(2026, 1, 1, tzinfo=UTC)
moments = st.integers(0, 60 * 86_400).map(lambda seconds: START + timedelta(seconds=seconds))
tries = st.builds(lambda success, ms, at: evidence_of(success=success, duration_ms=ms, at=at), st.booleans(), st.floats(0, 1e8), moments)


def merged(pieces: list[Evidence]) -> Evidence:
    whole, *others = pieces
    for other in others:
        whole = whole.merged(other)
    return whole


def close(one: Evidence, other: Evidence) -> bool:
    return (
        (one.attempts, one.successes, one.at) == (other.attempts, other.successes, other.at)
        and one.tries == pytest.approx(other.tries)
        and one.wins == pytest.approx(other.wins)
        and one.durations == pytest.approx(other.durations)
    )


@given(st.lists(tries, min_size=1, max_size=12), st.randoms(use_true_random=False), st.integers(1, 11))
def test_evidence_is_the_same_in_whatever_order_and_portions_it_is_merged(pieces: list[Evidence], dice: object, cut: int) -> None:
    shuffled = sorted(pieces, key=lambda _: dice.random())  # type: ignore[attr-defined]
    portions = [part for part in (shuffled[:cut], shuffled[cut:]) if part]
    assert close(merged(pieces), merged([merged(part) for part in portions]))


def test_a_try_weighs_half_after_seven_days_and_never_more_than_one() -> None:
    assert fade(START, START + timedelta(days=7)) == pytest.approx(0.5)
    assert fade(START, START + timedelta(days=21)) == pytest.approx(0.125)
    assert fade(START + timedelta(days=1), START) == 1.0


@pytest.mark.parametrize(
    ("won", "of", "bound"),
    [(0, 0, 0.0), (1, 1, 0.2065), (20, 20, 0.8389), (10, 20, 0.2993), (19, 20, 0.7639), (900, 1000, 0.8799)],
)
def test_the_lower_bound_is_wilsons(won: float, of: float, bound: float) -> None:
    assert lower_bound(of, won) == pytest.approx(bound, abs=1e-4)


@given(st.lists(st.floats(1, 3e7), min_size=1, max_size=200))
def test_the_median_is_within_a_tenth_of_the_true_one(times: list[float]) -> None:
    durations = merged([evidence_of(success=True, duration_ms=ms, at=START) for ms in times]).durations
    true = sorted(times)[(len(times) - 1) // 2]
    estimate = median_ms(durations)
    assert estimate is not None
    assert estimate == pytest.approx(true, rel=0.101)


def test_failures_have_no_time_to_recover() -> None:
    assert median_ms(evidence_of(success=False, duration_ms=500, at=START).durations) is None
