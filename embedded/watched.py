"""One part under watch: whether it runs, how often it died lately, and when to start it again."""

from dataclasses import dataclass

from embedded.child import Child, Part
from embedded.errors import EmbeddedError
from embedded.processes import kill_group
from embedded.terminal import Tail, event

LONGEST_PAUSE_SECONDS = 15.0
STABLE_SECONDS = 30.0


@dataclass
class Watched:
    """A part and its log.

    Attributes:
        deaths: how often it ended or failed to start since it last ran for STABLE_SECONDS.
        started_at, next_try_at: of a monotonic clock, in seconds; `next_try_at` None while it runs.
    """

    part: Part
    tail: Tail
    deaths: int = 0
    started_at: float = 0.0
    next_try_at: float | None = None

    def revive(self, now: float) -> None:
        """Start a part that ended: at once the first time, then with growing pauses; same port, same data."""
        if self.part.is_running:
            if self.deaths and now - self.started_at > STABLE_SECONDS:
                self.deaths = 0
            return
        if self.next_try_at is None:
            pause_seconds = min(LONGEST_PAUSE_SECONDS, 2.0 ** (self.deaths - 1)) if self.deaths else 0.0
            self.deaths, self.next_try_at = self.deaths + 1, now + pause_seconds
            event(f"{self.part.name} {_how_it_ended(self.part)}; starting it again in {pause_seconds:.0f} s")
        if now >= self.next_try_at:
            self._restart(now)

    def _restart(self, now: float) -> None:
        self.next_try_at = None
        if isinstance(self.part, Child) and self.part.process is not None:
            kill_group(self.part.process)  # what it left of its own children must not stand in the way
        try:
            self.part.start()
        except (EmbeddedError, OSError) as error:  # a full disk passes; the next try comes after a longer pause
            event(f"{self.part.name} could not be started: {error}")
            return
        self.started_at = now
        event(f"{self.part.name} runs again (pid {self.part.process.pid if self.part.process else '?'})")


def _how_it_ended(part: Part) -> str:
    code = part.process.returncode if part.process is not None else None
    if code is None:
        return "does not run"
    return f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
