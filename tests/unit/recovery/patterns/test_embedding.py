"""Meanings: the same everywhere, of length 1, near for what is alike."""

import math
import random

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.causes import CAUSES, Values
from gateway.recovery.classify import classify
from gateway.recovery.patterns.embedding import DIMENSIONS, VERSION, embed, similarity
from gateway.recovery.patterns.model import Facts, facts_of
from tests.fakes.patterns import fault


@given(st.text(max_size=100), st.text(max_size=20))
def test_a_meaning_has_length_one(text: str, source: str) -> None:
    vector = embed(facts_of(fault(text, source=source)))
    assert len(vector) == DIMENSIONS
    assert math.isclose(math.hypot(*vector), 1, abs_tol=1e-4)


def test_this_version_never_changes() -> None:
    """Points are compared with points of other processes and of last year: another way of embedding needs another VERSION."""
    facts = Facts(
        "f", "TIMEOUT_ERROR", "infrastructure", "medium", "redis", True, "redis.exceptions.TimeoutError", "Timeout reading <host>"
    )
    vector = embed(facts)
    assert VERSION == "h1"
    assert [(place, value) for place, value in enumerate(vector) if abs(value) > 0.3] == [
        (18, 0.388075),
        (70, 0.31046),
        (82, -0.388075),
        (96, 0.582113),
    ]


def test_causes_of_one_kind_are_nearer_than_strangers() -> None:
    values = Values(random.Random(1))
    meaning = {cause.name: embed(facts_of(classify(cause.make(values), source=cause.source))) for cause in CAUSES}

    def near(one: str, other: str) -> float:
        return similarity(meaning[one], meaning[other])

    assert near("redis:refused", "dragonflydb:refused") > near("redis:refused", "clickhouse:syntax") + 0.3
    assert near("postgres:refused", "postgres:connect_timeout") > near("postgres:refused", "postgres:unique") + 0.3
    assert near("postgres:no_table", "postgres:no_column") > near("postgres:no_table", "arangodb:killed")
