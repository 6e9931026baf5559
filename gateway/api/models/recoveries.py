"""The ledger of recoveries on the wire."""

from typing import Annotated

from msgspec import Meta, field

from gateway.api.models.common import Moment, PageQuery, Wire
from gateway.recovery.ledger.model import AttemptOutcome, RecoveryStatus

MAX_TARGET_LENGTH = 255

Target = Annotated[str, Meta(max_length=MAX_TARGET_LENGTH)]


class RecoveriesQuery(PageQuery, frozen=True):
    """Which recoveries. Those that were merged into another are shown only with `status=superseded`."""

    target: Annotated[Target | None, Meta(description="`database:<name>`, `service:<name>` or `flow:<id>`")] = None
    status: RecoveryStatus | None = None


class OriginShape(Wire, frozen=True):
    """The flow, execution and node inside which the fault happened."""

    flow_id: str
    execution_id: str
    node_id: str | None


class RecoverySummaryShape(Wire, frozen=True, kw_only=True):
    """What broke, since when, what is done about it, and how it stands."""

    id: str = field(name="recoveryId")
    target: str
    status: RecoveryStatus
    fault_type: str
    category: str
    severity: str
    source: str
    fingerprint: str
    vendor_code: str | None
    detail: str
    strategy: str = "delayed"
    action: str
    broken_since: Moment
    recorded_at: Annotated[Moment, Meta(description="When it was written down; later than brokenSince while PostgreSQL was away")]
    next_attempt_at: Moment | None
    completed_at: Moment | None
    duration_ms: Annotated[int | None, Meta(description="From fault to end: how long until healthy, for one that recovered")]
    healed_by: Annotated[str | None, Meta(description="The action that healed it, or `itself`")]
    attempt_count: int
    flow_id: Annotated[str | None, Meta(description="The recovery flow that is run")]
    execution_id: Annotated[str | None, Meta(description="Its execution")]
    origin: OriginShape | None
    request_id: str | None
    superseded_by: str | None


class AttemptShape(Wire, frozen=True):
    """One try of a strategy."""

    number: int
    action: str
    worker: str
    outcome: AttemptOutcome
    started_at: Moment
    completed_at: Moment | None
    duration_ms: int | None
    detail: str | None
    execution_id: str | None


class RecoveryShape(RecoverySummaryShape, frozen=True):
    """One recovery with everything that was tried."""

    attempts: list[AttemptShape]
    merged_ids: Annotated[list[str], Meta(description="Ids given to other clients for the same outage; each of them leads here")]
