"""A pattern: one kind of fault as it was learned, and what healed it. Frozen values, no I/O."""

import re
from dataclasses import dataclass
from datetime import datetime

from gateway.recovery.model import Action, Fault
from gateway.recovery.patterns.evidence import Evidence

MAX_SAMPLES = 3
OTHER = "-other-"
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Sample:
    """One fault of a pattern, redacted: the masked message and fields that hold no value of a caller.

    Attributes:
        target: `database:<name>` or `service:<name>`.
        flow_id, node_id: where in a flow it happened, when it did.
    """

    at: datetime
    template: str
    error_class: str
    target: str | None = None
    flow_id: str | None = None
    node_id: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What all faults of a pattern share. `template` is the masked message of the first one."""

    fingerprint: str
    fault_type: str
    category: str
    severity: str
    source: str
    retryable: bool
    error_class: str
    template: str
    vendor_code: str | None = None

    @property
    def is_other(self) -> bool:
        """Whether this is the bucket of what no longer got a pattern of its own."""
        return OTHER in self.fingerprint


@dataclass(frozen=True, slots=True)
class Sighting:
    """Some faults of one pattern, added up: what a process saw since it last told."""

    facts: Facts
    count: int
    first_seen_at: datetime
    last_seen_at: datetime
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How some tries of one action on one pattern ended, added up."""

    fingerprint: str
    action: Action
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Batch:
    """What a process learned; `id` makes merging it twice harmless."""

    id: str
    sightings: tuple[Sighting, ...] = ()
    outcomes: tuple[Outcome, ...] = ()


@dataclass(frozen=True, slots=True)
class Pattern:
    """One learned pattern as it stands in its row.

    Attributes:
        revision: grows with everything that is learned about it.
        uploaded_at, uploaded_count: when the Flow Registry last took it, and with which count.
    """

    facts: Facts
    count: int
    first_seen_at: datetime
    last_seen_at: datetime
    samples: tuple[Sample, ...]
    revision: int
    uploaded_at: datetime | None = None
    uploaded_count: int | None = None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What to do about a fault.

    Attributes:
        reason: `learned` from at least 20 tries, or the category's `default`.
        lower_bound: of the action's rate of success, 95 % confidence; None for a default.
        tries: faded number of tries of all actions, which the suggestion rests on.
        automatic: the allow-list lets the gateway do it without a human.
    """

    action: Action
    reason: str
    lower_bound: float | None
    tries: int
    automatic: bool


@dataclass(frozen=True, slots=True)
class Related:
    """Another pattern that means something similar; `similarity` is the cosine, at most 1."""

    fingerprint: str
    similarity: float
    template: str
    fault_type: str


@dataclass(frozen=True, slots=True)
class PatternView:
    """A pattern with what is known about healing it. `related` is empty, and `related_by` None, when nobody looked."""

    pattern: Pattern
    outcomes: tuple[Outcome, ...]
    suggestion: Suggestion
    related: tuple[Related, ...] = ()
    related_by: str | None = None


@dataclass(frozen=True, slots=True)
class PatternPage:
    """Some of the patterns, and how many there are."""

    views: tuple[PatternView, ...]
    total: int


def facts_of(fault: Fault) -> Facts:
    """What counts of a fault for its pattern."""
    return Facts(
        fingerprint=fault.fingerprint,
        fault_type=fault.type.value,
        category=fault.category.value,
        severity=fault.severity.value,
        source=storable(fault.source),
        retryable=fault.retryable,
        error_class=storable(fault.error_class),
        template=storable(fault.template),
        vendor_code=storable(fault.vendor_code) if fault.vendor_code else None,
    )


def sample_of(fault: Fault, at: datetime) -> Sample:
    """The fault as a sample: nothing raw."""
    origin = fault.origin
    return Sample(
        at,
        storable(fault.template),
        storable(fault.error_class),
        storable(fault.target) if fault.target else None,
        origin.flow_id if origin else None,
        origin.node_id if origin else None,
    )


def storable(text: str) -> str:
    """At most 300 characters, none of which PostgreSQL or JSON cannot hold."""
    return UNSTORABLE.sub("\ufffd", text[:300])


def other_of(source: str) -> Facts:
    """The bucket of a source: for faults that came when it had its fill of patterns."""
    source = storable(source)
    return Facts(f"v1{OTHER}{source}", "UNKNOWN_ERROR", "unknown", "medium", source, False, "", "any other fault of this source")
