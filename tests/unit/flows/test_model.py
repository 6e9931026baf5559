"""Values that compute: the delays of a retry policy."""

from random import Random

import pytest

from gateway.flows.model import RetryPolicy


def policy(strategy: str) -> RetryPolicy:
    return RetryPolicy(backoff_strategy=strategy, base_delay=1000, max_delay=5000)


@pytest.mark.parametrize(
    ("strategy", "delays"),
    [("fixed", [1000, 1000, 1000, 1000]), ("linear", [1000, 2000, 3000, 4000]), ("exponential", [1000, 2000, 4000, 5000])],
)
def test_delays_grow_by_strategy_to_the_cap(strategy: str, delays: list[int]) -> None:
    assert [policy(strategy).delay_ms(attempt) for attempt in (1, 2, 3, 4)] == delays


def test_jitter_stays_between_nothing_and_the_delay() -> None:
    drawn = [policy("exponential").delay_ms(3, Random(seed)) for seed in range(50)]
    assert min(drawn) >= 0
    assert max(drawn) <= 4000
    assert len(set(drawn)) > 1
