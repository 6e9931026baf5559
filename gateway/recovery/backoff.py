"""Full jitter: each wait is drawn evenly from nothing to a limit that doubles.

Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""


def full_jitter_seconds(attempt: int, *, base_seconds: float, cap_seconds: float, roll: float) -> float:
    """The wait before the next try.

    Args:
        attempt: tries made so far, from 1.
        roll: a random number, 0 ≤ roll < 1.
    """
    doublings = min(max(attempt, 1) - 1, 32)
    return roll * min(cap_seconds, base_seconds * 2.0**doublings)
