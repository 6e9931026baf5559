"""Flows that were accepted while the registry was down: kept as rows, uploaded by a task, and never lost.

A pending flow can be read and run at once. Its upload ends in one of three ways: the registry takes it (or holds the very same one: an
earlier try got through) and it is known; the registry holds another flow of this id, or of this name and version, and it is conflicted;
or the registry's own rules refuse it. In the last two cases the row stays with what it is hindered by, `/health` counts it, and
registering a corrected document under the same id ends the matter. Doorbells that got lost are rung again.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog
from msgspec import UNSET, structs

from gateway.clock import Clock
from gateway.configuration.copies import Copies
from gateway.configuration.errors import ConfigurationUnavailable, FlowExists, FlowRefused
from gateway.configuration.flow_registry import FlowRegistryClient
from gateway.configuration.memory import Kind
from gateway.configuration.model import CopyState
from gateway.configuration.postgres import CopyRow, KnownCopyStore
from gateway.errors import UpstreamInvalid
from gateway.flows.errors import FlowInvalid
from gateway.flows.model import FlowDefinition
from gateway.flows.parsing import parse_stored_flow
from gateway.outbox.model import TaskName
from gateway.outbox.service import Outbox

log = structlog.get_logger(__name__)

MAX_DELAY_SECONDS = 60
LOST_AFTER_SECONDS = 30  # a doorbell that is this late has been lost
SWEPT_AT_ONCE = 100
MAX_PROBLEM = 1000


class FlowUploads:
    """What waits for the registry."""

    def __init__(self, registry: FlowRegistryClient, copies: Copies, outbox: Outbox, clock: Clock) -> None:
        self._registry = registry
        self._copies = copies
        self._outbox = outbox
        self._clock = clock

    def accept(self, flow: FlowDefinition, document: dict[str, Any]) -> None:
        """Keep the flow and ring for its upload, in one transaction.

        Raises:
            FlowExists: a flow of this id, or of this name and version, is known or waits. DatabaseError: PostgreSQL failed.
        """
        now = self._clock.now()
        with self._outbox.transaction() as work:
            store = KnownCopyStore(work.connection)
            if store.has_flow(flow.id, flow.name, flow.version) or not store.insert_pending_flow(flow.id, document, now, now):
                raise FlowExists(f"The flow {flow.id}, or one of its name and version, exists already")
            work.outbox.ring(TaskName.UPLOAD_FLOW, flow_id=flow.id)
        self._copies.hold(CopyRow(Kind.FLOW, flow.id, document, now, CopyState.PENDING))
        log.info("flow_accepted_for_upload", flow_id=flow.id)

    def upload(self, flow_id: str) -> None:
        """Try once; a try that failed rings again later. Harmless when the flow does not wait, or is uploaded twice.

        Raises:
            DatabaseError: PostgreSQL failed; the sweep rings again.
        """
        with self._outbox.transaction() as work:
            row = KnownCopyStore(work.connection).find(Kind.FLOW, flow_id)
        if row is None or row.state != CopyState.PENDING:
            return
        try:
            stored = self._registry.register(row.body)
        except FlowExists:
            self._settle_taken(row)
        except FlowRefused as error:
            findings = "; ".join(f"{each.pointer} {each.detail}" for each in error.errors)
            self._settle(row, CopyState.REFUSED, problem=f"{error.detail} {findings}".strip())
        except (ConfigurationUnavailable, UpstreamInvalid) as error:
            self._postpone(row, error.code)
        else:
            self._settle(row, CopyState.KNOWN, body=stored)

    def is_waiting(self, flow_id: str) -> bool:
        """Whether the flow is accepted and not uploaded yet."""
        copy = self._copies.find_row(Kind.FLOW, flow_id)
        return copy is not None and copy.state == CopyState.PENDING

    def sweep(self) -> int:
        """Ring again for flows whose doorbell got lost; returns how many.

        Raises:
            DatabaseError: PostgreSQL failed.
        """
        now = self._clock.now()
        with self._outbox.transaction() as work:
            overdue = KnownCopyStore(work.connection).claim_overdue_flows(now - timedelta(seconds=LOST_AFTER_SECONDS), now, SWEPT_AT_ONCE)
            work.outbox.ring_each(TaskName.UPLOAD_FLOW, [{"flow_id": flow_id} for flow_id in overdue])
        return len(overdue)

    def count_waiting(self) -> dict[str, int]:
        """How many flows wait or are hindered, by state; states without any are left out.

        Raises:
            DatabaseError: PostgreSQL failed.
        """
        with self._outbox.transaction() as work:
            return KnownCopyStore(work.connection).count_waiting_flows()

    def _settle_taken(self, row: CopyRow) -> None:
        """Something in the registry stands in the way: perhaps this very flow, from a try whose answer got lost."""
        try:
            other = self._registry.find(row.key)
        except (ConfigurationUnavailable, UpstreamInvalid) as error:
            self._postpone(row, error.code)
            return
        if other is not None and same_flow(row.body, other):
            self._settle(row, CopyState.KNOWN, body=other)
        elif other is not None:
            self._settle(row, CopyState.CONFLICTED, problem="The registry holds another flow of this id")
        else:
            self._settle(row, CopyState.CONFLICTED, problem="The registry holds another flow of this name and version")

    def _settle(self, row: CopyRow, state: CopyState, *, body: Any = None, problem: str | None = None) -> None:
        now = self._clock.now()
        settled = CopyRow(Kind.FLOW, row.key, row.body if body is None else body, now, state, problem[:MAX_PROBLEM] if problem else None)
        with self._outbox.transaction() as work:
            KnownCopyStore(work.connection).settle_flow(settled, over=CopyState.PENDING)
        self._copies.hold(settled)
        log.info("flow_upload_ended", flow_id=row.key, state=str(state))

    def _postpone(self, row: CopyRow, code: str) -> None:
        delay_seconds = min(MAX_DELAY_SECONDS, 2 ** min(row.attempts, 10))
        due_at = self._clock.now() + timedelta(seconds=delay_seconds)
        with self._outbox.transaction() as work:
            KnownCopyStore(work.connection).postpone_flow(row.key, due_at)
            work.outbox.ring(TaskName.UPLOAD_FLOW, due_at=due_at, flow_id=row.key)
        log.info("flow_upload_postponed", flow_id=row.key, code=code, delay_seconds=delay_seconds)


def same_flow(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Whether two documents define the same flow: the status aside, and whether a default was written or left out."""
    try:
        first, second = (_meaning(parse_stored_flow(document)) for document in (ours, theirs))
    except FlowInvalid:
        return False
    return first == second


def _meaning(flow: FlowDefinition) -> FlowDefinition:
    return structs.replace(flow, status=UNSET, document={})
