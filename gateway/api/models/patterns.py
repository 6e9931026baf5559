"""Learned error patterns on the wire."""

from typing import Annotated, Any, Literal, Self

from msgspec import Meta

from gateway.api.models.common import Moment, PageQuery, Wire
from gateway.recovery.model import FaultType
from gateway.recovery.patterns.evidence import median_ms
from gateway.recovery.patterns.model import PatternView

Source = Annotated[str, Meta(max_length=100)]


class PatternsQuery(PageQuery, frozen=True):
    """Which patterns."""

    type: Annotated[FaultType | None, Meta(description="Type of the error, as problems name it")] = None
    source: Annotated[Source | None, Meta(description="Where it comes from: a database's name, `http`, or a room of the gateway")] = None


class ActionShape(Wire, frozen=True):
    """What was tried, and how it ended."""

    action: str
    attempts: int
    successes: int
    median_ms: Annotated[float | None, Meta(description="From the fault to being well again, within 10 %; null when nothing succeeded")]


class SuggestionShape(Wire, frozen=True):
    """What to do about it."""

    action: str
    reason: Annotated[Literal["learned", "default"], Meta(description="`default` before 20 tries of the last weeks")]
    lower_bound: Annotated[float | None, Meta(description="Of the action's rate of success, 95 % confidence; null for a default")]
    tries: int
    automatic: Annotated[bool, Meta(description="The gateway may do it without a human")]


class PatternSummaryShape(Wire, frozen=True):
    """One kind of error, whatever ids, hosts and values it carries."""

    fingerprint: str
    type: str
    category: str
    severity: str
    source: str
    vendor_code: str | None
    retryable: bool
    error_class: str
    template: str
    is_other: Annotated[bool, Meta(description="The bucket of a source that has its fill of patterns")]
    count: int
    first_seen_at: Moment
    last_seen_at: Moment
    uploaded_at: Annotated[Moment | None, Meta(description="When the Flow Registry last took it")]
    actions: list[ActionShape]
    suggested_action: SuggestionShape

    @classmethod
    def of(cls, view: PatternView) -> Self:
        """From the view to the wire."""
        return cls(**_summary(view))


class SampleShape(Wire, frozen=True):
    """One error of the pattern, redacted."""

    at: Moment
    template: str
    error_class: str
    target: str | None
    flow_id: str | None
    node_id: str | None


class RelatedShape(Wire, frozen=True):
    """Another pattern that means something similar."""

    fingerprint: str
    similarity: Annotated[float, Meta(description="Cosine of the two meanings, at most 1")]
    template: str
    type: str


class PatternShape(PatternSummaryShape, frozen=True):
    """The same, with samples and its kin."""

    samples: list[SampleShape]
    related: list[RelatedShape]
    related_by: Annotated[str | None, Meta(description="Index that was asked: weaviate, postgres (pgvector) or fingerprint")]

    @classmethod
    def of(cls, view: PatternView) -> Self:
        """From the view to the wire."""
        return cls(
            **_summary(view),
            samples=[SampleShape.made_from(sample) for sample in view.pattern.samples],
            related=[
                RelatedShape(fingerprint=each.fingerprint, similarity=each.similarity, template=each.template, type=each.fault_type)
                for each in view.related
            ],
            related_by=view.related_by,
        )


def _summary(view: PatternView) -> dict[str, Any]:
    pattern, facts = view.pattern, view.pattern.facts
    return {
        "fingerprint": facts.fingerprint,
        "type": facts.fault_type,
        "category": facts.category,
        "severity": facts.severity,
        "source": facts.source,
        "vendor_code": facts.vendor_code,
        "retryable": facts.retryable,
        "error_class": facts.error_class,
        "template": facts.template,
        "is_other": facts.is_other,
        "count": pattern.count,
        "first_seen_at": pattern.first_seen_at,
        "last_seen_at": pattern.last_seen_at,
        "uploaded_at": pattern.uploaded_at,
        "actions": [
            ActionShape(
                action=each.action,
                attempts=each.evidence.attempts,
                successes=each.evidence.successes,
                median_ms=median_ms(each.evidence.durations),
            )
            for each in view.outcomes
        ],
        "suggested_action": SuggestionShape.made_from(view.suggestion),
    }
