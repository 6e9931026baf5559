"""Tells the Flow Registry that an execution started and where it stands since, in this order. The registry may be down for days: rows wait.

Told is where the execution stands when it is told: of a pause that is over by then the registry hears nothing. What it holds for
cancelled it never opens again, so an execution that is retried after that gets another record there.
"""

from datetime import timedelta

import structlog

from gateway.clock import Clock
from gateway.errors import GatewayError, Unavailable, UpstreamInvalid, UpstreamTimeout
from gateway.executions.model import ExecutionStatus, ExecutionView
from gateway.executions.ports import RegistryReports, StartReport, StatusReport
from gateway.executions.postgres import ExecutionStore
from gateway.executions.postgres_reports import ReportClaim, ReportState, ReportStore
from gateway.observability.context import accept_request_id, request_context
from gateway.outbox.model import TaskName
from gateway.outbox.service import Outbox

log = structlog.get_logger(__name__)

LEASE_SECONDS = 60.0  # longer than the calls of one report take together
FIRST_DELAY_SECONDS = 2.0
MAX_DELAY_SECONDS = 300.0
GIVE_UP_DAYS = 7
MENDED = (Unavailable, UpstreamTimeout, UpstreamInvalid)  # by time or by an operator: refused credentials, a proxy's error page


class Reporter:
    """Delivers reports. Delivered at least once: a report whose answer was lost is sent again. `worker` names this process in leases."""

    def __init__(self, outbox: Outbox, reports: RegistryReports, clock: Clock, worker: str) -> None:
        self._outbox = outbox
        self._reports = reports
        self._clock = clock
        self._worker = worker

    def report(self, execution_id: str) -> None:
        """Deliver what is due for this execution. Harmless when rung twice, or for an execution that is unknown.

        Raises:
            DatabaseError: PostgreSQL failed; the sweeper rings again.
        """
        now = self._clock.now()
        with self._outbox.transaction() as work:
            claim = ReportStore(work.connection).claim(execution_id, self._worker, now, now + timedelta(seconds=LEASE_SECONDS))
            if claim is None:
                log.info("report_claim_refused", execution_id=execution_id)
                return
            execution = ExecutionStore(work.connection).get_view(execution_id)
            request_id = ExecutionStore(work.connection).find_request_id(execution_id)
        with request_context(accept_request_id(request_id), execution_id=execution_id, flow_id=execution.flow_id):
            self._deliver(claim, execution)

    def _deliver(self, claim: ReportClaim, execution: ExecutionView) -> None:
        try:
            registry_id = open_record(claim, execution)
            if registry_id is not None:
                self._report_status(claim, registry_id, execution)  # as it stood then: the record was chosen for that
            elif registry_id := self._report_start(claim, execution):
                self._report_status(claim, registry_id, self._get(execution.id))
        except GatewayError as error:
            self._failed(claim, execution, error)

    def _report_start(self, claim: ReportClaim, execution: ExecutionView) -> str | None:
        """Report the start; returns the registry's id when there is more to tell."""
        registry_id = self._reports.report_started(
            execution.flow_id,
            StartReport(
                execution_id=execution.id,
                key=execution.id if claim.records == 0 else f"{execution.id}:{claim.records + 1}",
                parameters=execution.parameters,
                triggered_by=execution.triggered_by,
                execution_context=execution.execution_context,
                started_at=execution.started_at,
            ),
        )
        with self._outbox.transaction() as work:
            store = ReportStore(work.connection)
            if registry_id is None:
                store.close(claim, ReportState.REFUSED, "The Flow Registry keeps no record of this execution")
                log.info("execution_report_refused")
                return None
            return registry_id if store.started(claim, registry_id, self._clock.now()) else None

    def _get(self, execution_id: str) -> ExecutionView:
        with self._outbox.transaction() as work:
            return ExecutionStore(work.connection).get_view(execution_id)

    def _report_status(self, claim: ReportClaim, registry_id: str, execution: ExecutionView) -> None:
        self._reports.report_status(
            registry_id,
            StatusReport(
                execution_id=execution.id,
                status=execution.status.value,
                result=execution.result,
                error_message=message_of(execution),
            ),
        )
        with self._outbox.transaction() as work:
            if ReportStore(work.connection).told(claim, execution.status, self._clock.now()):
                work.outbox.ring(TaskName.REPORT, execution_id=claim.execution_id)
        log.info("execution_reported", registry_execution_id=registry_id, status=execution.status.value)

    def _failed(self, claim: ReportClaim, execution: ExecutionView, error: GatewayError) -> None:
        now = self._clock.now()
        too_old = now - (claim.since or execution.started_at) > timedelta(days=GIVE_UP_DAYS)
        with self._outbox.transaction() as work:
            if too_old or not isinstance(error, MENDED):
                ReportStore(work.connection).close(claim, ReportState.GIVEN_UP, error.detail)
                log.warning("execution_report_given_up", code=error.code, attempts=claim.attempts + 1)
                return
            due_at = now + timedelta(seconds=delay_seconds(claim.attempts))
            ReportStore(work.connection).postpone(claim, due_at, error.detail)
            work.outbox.ring(TaskName.REPORT, due_at=due_at, execution_id=claim.execution_id)
        log.info("execution_report_postponed", code=error.code, attempts=claim.attempts + 1)


def open_record(claim: ReportClaim, execution: ExecutionView) -> str | None:
    """The registry's record of this run; None when it has none, or one that says cancelled while the execution goes on."""
    reopened = claim.told is ExecutionStatus.CANCELLED and execution.status is not ExecutionStatus.CANCELLED
    return None if reopened else claim.registry_execution_id


def message_of(execution: ExecutionView) -> str | None:
    """Why it did not complete, in one sentence: its error, or who cancelled it."""
    if execution.status is ExecutionStatus.CANCELLED and execution.actions:
        last = execution.actions[-1]
        return f"Cancelled by {last.caller}" + (f": {last.reason}" if last.reason else "")
    return execution.error["detail"] if execution.error else None


def delay_seconds(attempts: int) -> float:
    """Wait after this many failed tries before: 2 s, 4 s, … 5 minutes."""
    return min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(attempts, 20))
