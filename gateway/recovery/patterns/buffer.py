"""What a process learned since it last told PostgreSQL: added up by fingerprint, bounded, O(1) per fault, no I/O."""

import threading
from dataclasses import dataclass
from datetime import datetime

from gateway.recovery.model import Action, Fault
from gateway.recovery.patterns.evidence import evidence_of
from gateway.recovery.patterns.model import MAX_SAMPLES, Facts, Outcome, Sample, Sighting, facts_of, other_of, sample_of

MAX_FINGERPRINTS = 2000  # beyond, faults count for their source only
MAX_OUTCOMES = 2000


@dataclass(slots=True)
class _Tally:
    facts: Facts
    count: int
    first_seen_at: datetime
    last_seen_at: datetime
    samples: list[Sample]


class PatternBuffer:
    """Counts faults and outcomes. Safe to use from many threads."""

    def __init__(self, *, max_fingerprints: int = MAX_FINGERPRINTS) -> None:
        self._lock = threading.Lock()
        self._max_fingerprints = max_fingerprints
        self._tallies: dict[str, _Tally] = {}
        self._outcomes: dict[tuple[str, Action], Outcome] = {}
        self._dropped_outcomes = 0

    def add_fault(self, fault: Fault, at: datetime) -> bool:
        """Count a fault; whether its pattern is new to this buffer."""
        with self._lock:
            tally = self._tallies.get(fault.fingerprint)
            is_new = tally is None
            if tally is None:
                tally = self._open(fault, at)
            tally.count += 1
            tally.last_seen_at = max(tally.last_seen_at, at)
            if len(tally.samples) < MAX_SAMPLES and not tally.facts.is_other:
                tally.samples.append(sample_of(fault, at))
            return is_new

    def add_outcome(self, fingerprint: str, action: Action, *, success: bool, duration_ms: float, at: datetime) -> None:
        """Count how one try ended. When full, a try of something new is dropped and counted."""
        evidence = evidence_of(success=success, duration_ms=duration_ms, at=at)
        key = (fingerprint, action)
        with self._lock:
            known = self._outcomes.get(key)
            if known is None and len(self._outcomes) >= MAX_OUTCOMES:
                self._dropped_outcomes += 1
                return
            self._outcomes[key] = Outcome(fingerprint, action, known.evidence.merged(evidence) if known else evidence)

    def take(self) -> tuple[tuple[Sighting, ...], tuple[Outcome, ...]]:
        """Everything counted so far; the buffer is empty then."""
        with self._lock:
            tallies, self._tallies = self._tallies, {}
            outcomes, self._outcomes = self._outcomes, {}
        sightings = tuple(
            Sighting(each.facts, each.count, each.first_seen_at, each.last_seen_at, tuple(each.samples)) for each in tallies.values()
        )
        return sightings, tuple(outcomes.values())

    def take_dropped(self) -> int:
        """How many outcomes found no room since the last time this was asked."""
        with self._lock:
            dropped, self._dropped_outcomes = self._dropped_outcomes, 0
            return dropped

    def __len__(self) -> int:
        return len(self._tallies) + len(self._outcomes)

    def _open(self, fault: Fault, at: datetime) -> _Tally:
        facts = facts_of(fault) if len(self._tallies) < self._max_fingerprints else other_of(fault.source)
        return self._tallies.setdefault(facts.fingerprint, _Tally(facts, 0, at, at, []))
