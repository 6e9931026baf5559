"""A clock that moves only when a test says so."""

from datetime import UTC, datetime, timedelta


class FakeClock:
    """Both clocks of `gateway.clock.Clock`, moved together by `advance`."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed_seconds = 0.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed_seconds)

    def monotonic(self) -> float:
        return self._elapsed_seconds

    def advance(self, seconds: float) -> None:
        """Move both clocks forward."""
        self._elapsed_seconds += seconds
