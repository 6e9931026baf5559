"""What was tried on a pattern and how it ended: counts that merge in any order, fade with time, and say how sure they are.

Fading: a try of `t` days ago weighs 2^(-t/7). Two pieces of evidence are merged at the later of their two moments, so that the order of
merging does not matter.

Median: times to recover are counted in 96 bins whose bounds grow by 1.2, from 1 ms to 11 hours; bins of two pieces are added, the median
is the geometric middle of its bin, at most 9.6 % off (the idea of DDSketch, https://arxiv.org/abs/1908.10693, with fixed bins).
"""

import math
from dataclasses import dataclass
from datetime import datetime

HALF_LIFE_SECONDS = 7 * 86_400.0
BINS = 96
GROWTH = 1.2
Z = 1.96  # 95 % confidence


@dataclass(frozen=True, slots=True)
class Evidence:
    """Tries of one action on one pattern.

    Attributes:
        attempts, successes: all there ever were.
        tries, wins: the same, faded as of `at`.
        durations: faded number of successes in each of the 96 bins of time to recover.
    """

    attempts: int
    successes: int
    tries: float
    wins: float
    durations: tuple[float, ...]
    at: datetime

    def merged(self, other: "Evidence") -> "Evidence":
        """Both together, as of the later one."""
        at = max(self.at, other.at)
        own, their = fade(self.at, at), fade(other.at, at)
        return Evidence(
            self.attempts + other.attempts,
            self.successes + other.successes,
            self.tries * own + other.tries * their,
            self.wins * own + other.wins * their,
            tuple(one * own + another * their for one, another in zip(self.durations, other.durations, strict=True)),
            at,
        )


def evidence_of(*, success: bool, duration_ms: float, at: datetime) -> Evidence:
    """One try."""
    won = int(success)
    chosen = bin_of(duration_ms) if success else None
    return Evidence(1, won, 1.0, float(won), tuple(float(number == chosen) for number in range(BINS)), at)


def fade(then: datetime, now: datetime) -> float:
    """What a try of then weighs now: 1 at once, 0.5 after seven days; never more than 1."""
    return float(0.5 ** (max(0.0, (now - then).total_seconds()) / HALF_LIFE_SECONDS))


def bin_of(duration_ms: float) -> int:
    """The bin that counts this time."""
    return min(BINS - 1, max(0, math.ceil(math.log(max(duration_ms, 1.0), GROWTH))))


def median_ms(durations: tuple[float, ...]) -> float | None:
    """The median in ms, rounded to three significant digits; None when nothing succeeded."""
    half = math.fsum(durations) / 2
    if half <= 0:
        return None
    seen = 0.0
    for number, weight in enumerate(durations):
        seen += weight
        if seen >= half:
            return float(f"{GROWTH ** (number - 0.5 if number else 0):.3g}")
    return float(f"{GROWTH ** (BINS - 1.5):.3g}")  # unreachable but for rounding: the last bin


def lower_bound(tries: float, wins: float) -> float:
    """Lower bound of the rate of success (Wilson's score interval, 95 %): 0 without tries, below the rate with few.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    if tries <= 0:
        return 0.0
    rate = min(1.0, wins / tries)
    spread = Z * math.sqrt(rate * (1 - rate) / tries + Z * Z / (4 * tries * tries))
    return max(0.0, (rate + Z * Z / (2 * tries) - spread) / (1 + Z * Z / tries))
