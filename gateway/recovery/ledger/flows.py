"""Recovery flows: which flow of the registry heals which fault, kept at hand, and running one as a recovery.

A flow tagged `recovery:<FAULT_TYPE>` is that fault's recovery flow; tagged `database:<name>` or `service:<name>` as well, only for
these targets. The most specific match wins; among equals the first id in alphabetical order, so that every process chooses alike.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import structlog

from gateway.configuration.model import FlowFilters
from gateway.errors import GatewayError, Unavailable, UpstreamTimeout
from gateway.executions.model import ExecutionStatus
from gateway.outbox.service import Outbox
from gateway.recovery.classify import classify
from gateway.recovery.ledger.model import Claim, Intent, RecoveryFlow, Tried
from gateway.recovery.ledger.ports import FlowList, FlowRuns
from gateway.recovery.ledger.postgres_known import KnownStore
from gateway.recovery.model import RECOVERY, FaultType
from gateway.targets import DATABASE, SERVICE, kind_of, name_of

log = structlog.get_logger(__name__)

RECOVERY_TAG = "recovery:"
TARGET_TAGS = (DATABASE, SERVICE)
RUNNABLE = ("active", "draft")
PAGE_FLOWS = 100
MAX_PAGES = 50
TYPES = frozenset(FaultType)


class RecoveryFlows:
    """The recovery flows as this process knows them. `learn` and `find` are memory only."""

    def __init__(self) -> None:
        self._flows: tuple[RecoveryFlow, ...] = ()

    def learn(self, flows: Iterable[RecoveryFlow]) -> None:
        """Know these from now on."""
        self._flows = tuple(sorted(flows, key=lambda flow: flow.flow_id))

    def find(self, fault_type: str, target: str) -> RecoveryFlow | None:
        """The best match: one for this very target, else one for any target; None when the fault has no recovery flow."""
        fitting = [flow for flow in self._flows if flow.fault_type == fault_type and flow.target in (target, None)]
        return min(fitting, key=lambda flow: flow.target is None, default=None)


class FlowRefresher:
    """Asks the registry for the recovery flows and keeps them in PostgreSQL, where every process reads them. Rung by beat."""

    def __init__(self, outbox: Outbox, flows: FlowList) -> None:
        self._outbox = outbox
        self._flows = flows

    def refresh(self) -> None:
        """Ask once. While the registry cannot be asked, what is known stays. Doing it twice is harmless.

        Raises:
            DatabaseError: PostgreSQL failed; the next refresh does it.
        """
        try:
            found = [flow for status in RUNNABLE for flow in self._of_status(status)]
        except GatewayError as error:
            log.info("recovery_flows_not_refreshed", code=error.code)
            return
        with self._outbox.transaction() as work:
            store = KnownStore(work.connection)
            if set(store.list_flows()) != set(found):
                store.replace_flows(found)
                log.info("recovery_flows_changed", count=len(found))

    def _of_status(self, status: str) -> list[RecoveryFlow]:
        found: list[RecoveryFlow] = []
        for page in range(1, MAX_PAGES + 1):
            known = self._flows.list_flows(FlowFilters(status=status), page, PAGE_FLOWS)
            if known.stale:
                raise Unavailable("The Flow Registry cannot be asked now")
            found += [flow for document in known.value.documents for flow in flows_of(document)]
            if not known.value.has_next:
                break
        return found


def flows_of(document: Mapping[str, Any]) -> list[RecoveryFlow]:
    """What the tags of a flow's document make it the recovery flow of."""
    tags = document.get("tags")
    words = [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, Sequence) else []
    types = [word.removeprefix(RECOVERY_TAG) for word in words if word.startswith(RECOVERY_TAG)]
    targets: list[str | None] = [word for word in words if kind_of(word) in TARGET_TAGS]
    return [RecoveryFlow(str(document["id"]), kind, target) for kind in types if kind in TYPES for target in targets or [None]]


class RunFlow:
    """The strategy: start the recovery flow once, look until it ended; its result is the recovery's outcome."""

    def __init__(self, flows: FlowList, executions: FlowRuns) -> None:
        self._flows = flows
        self._executions = executions

    def __call__(self, claim: Claim) -> Tried:
        try:
            execution_id = claim.execution_id or self._start(claim)
            view = self._executions.get(execution_id)
        except GatewayError as error:
            passing = classify(error).retryable or isinstance(error, (Unavailable, UpstreamTimeout))
            return Tried(healthy=False, detail=f"{error.code}: {error.detail}", hopeless=not passing)
        if view.status is ExecutionStatus.COMPLETED:
            return Tried(healthy=True, detail="The recovery flow completed", execution_id=execution_id)
        if view.status.is_final:
            end = "was cancelled" if view.status is ExecutionStatus.CANCELLED else view.status.value
            return Tried(healthy=False, detail=f"The recovery flow {end}", hopeless=True, execution_id=execution_id)
        return Tried(healthy=False, detail="The recovery flow is under way", execution_id=execution_id)

    def _start(self, claim: Claim) -> str:
        """The recovery's id is the idempotency key: however often it is tried, the flow runs once."""
        intent, flow_id = claim.intent, claim.intent.flow_id or ""
        declared = {parameter.name for parameter in self._flows.get_flow(flow_id).value.parameters or ()}
        started = self._executions.start(
            flow_id,
            {name: value for name, value in parameters_of(intent).items() if name in declared},
            triggered_by=RECOVERY,
            execution_context={"recoveryId": intent.recovery_id, "target": intent.target},
            idempotency_key=intent.recovery_id,
            caller=RECOVERY,
        )
        return started.execution.id


def parameters_of(intent: Intent) -> dict[str, str]:
    """The fault as parameters, by the names that a recovery flow may declare; what is not known is absent (docs/recovery.md)."""
    kind, name = kind_of(intent.target), name_of(intent.target)
    origin = intent.origin
    known = {
        "recoveryId": intent.recovery_id,
        "faultType": intent.fault_type,
        "category": intent.category,
        "severity": intent.severity,
        "source": intent.source,
        "fingerprint": intent.fingerprint,
        "vendorCode": intent.vendor_code,
        "detail": intent.detail,
        "target": intent.target,
        "targetKind": kind,
        "targetName": name,
        "brokenSince": intent.broken_since.isoformat().replace("+00:00", "Z"),
        "requestId": intent.request_id,
        "flowId": origin.flow_id if origin else None,
        "executionId": origin.execution_id if origin else None,
        "nodeId": origin.node_id if origin else None,
    }
    return {parameter: value for parameter, value in known.items() if value is not None}
