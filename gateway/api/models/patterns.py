"""Learned error patterns on the wire."""

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import Field

from gateway.api.models.common import PageQuery, Wire
from gateway.recovery.model import FaultType
from gateway.recovery.patterns.evidence import median_ms
from gateway.recovery.patterns.model import PatternView


class PatternsQuery(PageQuery):
    """Which patterns."""

    type: FaultType | None = Field(None, description="Type of the error, as problems name it")
    source: str | None = Field(None, max_length=100, description="Where it comes from: a database's name, `http`, or a room of the gateway")


class ActionShape(Wire):
    """What was tried, and how it ended."""

    action: str
    attempts: int
    successes: int
    median_ms: float | None = Field(description="From the fault to being well again, within 10 %; null when nothing succeeded")


class SuggestionShape(Wire):
    """What to do about it."""

    action: str
    reason: Literal["learned", "default"] = Field(description="`default` before 20 tries of the last weeks")
    lower_bound: float | None = Field(description="Of the action's rate of success, 95 % confidence; null for a default")
    tries: int
    automatic: bool = Field(description="The gateway may do it without a human")


class PatternSummaryShape(Wire):
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
    is_other: bool = Field(description="The bucket of a source that has its fill of patterns")
    count: int
    first_seen_at: datetime
    last_seen_at: datetime
    uploaded_at: datetime | None = Field(description="When the Flow Registry last took it")
    actions: list[ActionShape]
    suggested_action: SuggestionShape

    @classmethod
    def of(cls, view: PatternView) -> Self:
        """From the view to the wire."""
        return cls(**_summary(view))


class SampleShape(Wire):
    """One error of the pattern, redacted."""

    at: datetime
    template: str
    error_class: str
    target: str | None
    flow_id: str | None
    node_id: str | None


class RelatedShape(Wire):
    """Another pattern that means something similar."""

    fingerprint: str
    similarity: float = Field(description="Cosine of the two meanings, at most 1")
    template: str
    type: str


class PatternShape(PatternSummaryShape):
    """The same, with samples and its kin."""

    samples: list[SampleShape]
    related: list[RelatedShape]
    related_by: str | None = Field(description="Index that was asked: weaviate, postgres (pgvector) or fingerprint")

    @classmethod
    def of(cls, view: PatternView) -> Self:
        """From the view to the wire."""
        return cls(
            **_summary(view),
            samples=[SampleShape.model_validate(sample) for sample in view.pattern.samples],
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
        "suggested_action": SuggestionShape.model_validate(view.suggestion),
    }
