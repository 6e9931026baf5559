"""The ledger of recoveries on the wire."""

from datetime import datetime

from pydantic import Field

from gateway.api.models.common import PageQuery, Wire
from gateway.recovery.ledger.model import AttemptOutcome, RecoveryStatus

MAX_TARGET_LENGTH = 255


class RecoveriesQuery(PageQuery):
    """Which recoveries. Those that were merged into another are shown only with `status=superseded`."""

    target: str | None = Field(None, max_length=MAX_TARGET_LENGTH, description="`database:<name>`, `service:<name>` or `flow:<id>`")
    status: RecoveryStatus | None = None


class OriginShape(Wire):
    """The flow, execution and node inside which the fault happened."""

    flow_id: str
    execution_id: str
    node_id: str | None


class RecoverySummaryShape(Wire):
    """What broke, since when, what is done about it, and how it stands."""

    recovery_id: str = Field(validation_alias="id", serialization_alias="recoveryId")
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
    broken_since: datetime
    recorded_at: datetime = Field(description="When it was written down; later than brokenSince while PostgreSQL was away")
    next_attempt_at: datetime | None
    completed_at: datetime | None
    duration_ms: int | None = Field(description="From fault to end: how long until healthy, for one that recovered")
    healed_by: str | None = Field(description="The action that healed it, or `itself`")
    attempt_count: int
    flow_id: str | None = Field(description="The recovery flow that is run")
    execution_id: str | None = Field(description="Its execution")
    origin: OriginShape | None
    request_id: str | None
    superseded_by: str | None


class AttemptShape(Wire):
    """One try of a strategy."""

    number: int
    action: str
    worker: str
    outcome: AttemptOutcome
    started_at: datetime
    completed_at: datetime | None
    duration_ms: int | None
    detail: str | None
    execution_id: str | None


class RecoveryShape(RecoverySummaryShape):
    """One recovery with everything that was tried."""

    attempts: list[AttemptShape]
    merged_ids: list[str] = Field(description="Ids given to other clients for the same outage; each of them leads here")
