"""What follows from an attempt: edges are decided, nodes become ready or skipped, failures are tried again, the execution ends.

One transaction under the lock of the execution's row; everything in it is fenced by the claim's epoch. When a node fails for good,
nodes that no worker holds are cancelled, those under way finish, and then the execution has failed with the first error. In a paused
execution what would become ready is paused.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from random import Random

import structlog

from gateway.clock import Clock
from gateway.errors import InvalidInput
from gateway.executions.errors import OutputTooLarge
from gateway.executions.job import Cancelled, Ending, Failed, Job, Succeeded
from gateway.executions.leases import Leases
from gateway.executions.model import MAX_EXECUTION_OUTPUT_BYTES, Claim, ExecutionStatus, JsonObject, NodeStatus, Outcome, ready_in
from gateway.executions.plan import Plan, PlanCache
from gateway.executions.ports import Classify, OnFault
from gateway.executions.postgres import ExecutionStore
from gateway.executions.postgres_nodes import NodeStore, Progress
from gateway.executions.postgres_reports import ReportStore
from gateway.executions.problem import problem_of
from gateway.executions.scope import skip_edges
from gateway.flows.model import RetryPolicy
from gateway.outbox.model import TaskName
from gateway.outbox.service import Outbox, Work
from gateway.recovery.model import Fault, FlowOrigin

log = structlog.get_logger(__name__)


class Settler:
    """Writes endings. `worker` names this process in leases and attempts."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        leases: Leases,
        plans: PlanCache,
        classify: Classify,
        on_fault: OnFault,
        clock: Clock,
        worker: str,
        random: Random,
    ) -> None:
        self._outbox = outbox
        self._leases = leases
        self._plans = plans
        self._classify = classify
        self._on_fault = on_fault
        self._clock = clock
        self._random = random
        self.worker = worker

    def prepare(self, work: Work, claim: Claim) -> Job | None:
        """Read what a claimed node needs to run, in the transaction that claims it.

        None when the pinned definition, written by another version of the product, can no longer be read: the node has failed.
        """
        try:
            plan = self._plans.get(claim.definition_digest, lambda: ExecutionStore(work.connection).get_definition(claim.execution_id))
            needed = plan.needed(claim.node_id)
        except InvalidInput as error:
            progress = NodeStore(work.connection).lock_execution(claim.execution_id)
            if progress is not None:
                self._fail_for_good(work, claim, error, progress)
            return None
        return Job(claim, plan, NodeStore(work.connection).results(claim.execution_id, needed))

    def settle(self, job: Job, ending: Ending, *, go_on: bool) -> Job | None:
        """Write how the attempt ended. With `go_on` one of the nodes that became ready is claimed at once and returned.

        Raises:
            DatabaseError: nothing was written.
        """
        with self._outbox.transaction() as work:
            progress = NodeStore(work.connection).lock_execution(job.claim.execution_id)
            if progress is None:  # its retention ended while the node ran
                self._discard(job.claim)
                return None
            ending = within_limit(ending, progress)
            if isinstance(ending, Succeeded):
                return self._complete(work, job, ending, progress, go_on=go_on)
            if isinstance(ending, Failed):
                self._fail(work, job, ending.error, progress)
            else:
                self._cancel(work, job, progress)
            return None

    def _complete(self, work: Work, job: Job, ending: Succeeded, progress: Progress, *, go_on: bool) -> Job | None:
        nodes, now, claim = NodeStore(work.connection), self._clock.now(), job.claim
        if not nodes.settle(claim, NodeStatus.COMPLETED, Outcome.SUCCEEDED, now, output=ending.output):
            self._discard(job.claim)
            return None
        ready, skipped = decide_on(nodes, job.plan, claim.execution_id, ending.decisions, now=now, ready_as=ready_in(progress.status))
        self._advance(work, claim, progress, ended=1 + len(skipped), output_bytes=ending.output_bytes)
        following = self._claim_next(work, claim) if go_on else None
        ring_for(work, [(claim.execution_id, node_id) for node_id in ready if not following or node_id != following.node_id])
        return self.prepare(work, following) if following else None

    def _claim_next(self, work: Work, claim: Claim) -> Claim | None:
        """The node that this worker goes on with; whoever was rung for it finds it taken."""
        return NodeStore(work.connection).claim_next(claim.execution_id, self.worker, self._clock.now(), self._leases.end())

    def _fail(self, work: Work, job: Job, error: BaseException, progress: Progress) -> None:
        fault = self._fault(job.claim, error)
        policy = job.plan.flow.retry_policy
        if fault.retryable and job.claim.failures + 1 < policy.max_attempts and not progress.failing:
            self._retry(work, job, fault, self._problem(job.claim, error, fault), ready_in(progress.status))
        else:
            self._fail_for_good(work, job.claim, error, progress)

    def _fail_for_good(self, work: Work, claim: Claim, error: BaseException, progress: Progress) -> None:
        fault = self._fault(claim, error)
        problem = self._problem(claim, error, fault)
        nodes, now = NodeStore(work.connection), self._clock.now()
        if not nodes.settle(claim, NodeStatus.FAILED, Outcome.FAILED, now, error=problem):
            self._discard(claim)
            return
        log.warning("node_failed", code=problem["code"], category=fault.category.value, attempts=claim.failures + 1)
        cancelled = nodes.cancel_unstarted(claim.execution_id, now)
        self._advance(work, claim, progress, ended=1 + cancelled, error=problem)
        self._on_fault(fault, claim.triggered_by)

    def _fault(self, claim: Claim, error: BaseException) -> Fault:
        return self._classify(error, origin=FlowOrigin(claim.flow_id, claim.execution_id, claim.node_id))

    def _problem(self, claim: Claim, error: BaseException, fault: Fault) -> JsonObject:
        return problem_of(error, fault, execution_id=claim.execution_id, node_id=claim.node_id)

    def _retry(self, work: Work, job: Job, fault: Fault, problem: JsonObject, ready_as: NodeStatus) -> None:
        claim, now = job.claim, self._clock.now()
        seconds = delay_seconds(job.plan.flow.retry_policy, claim.failures + 1, fault.retry_after_seconds, self._random)
        due_at = now + timedelta(seconds=seconds)
        if not NodeStore(work.connection).postpone(claim, ready_as, due_at, now, problem):
            self._discard(job.claim)
            return
        log.info("node_retry_scheduled", code=problem["code"], failures=claim.failures + 1, delay_ms=round(seconds * 1000))
        if ready_as is NodeStatus.READY:
            work.outbox.ring(TaskName.RUN_NODE, due_at=due_at, execution_id=claim.execution_id, node_id=claim.node_id)

    def _cancel(self, work: Work, job: Job, progress: Progress) -> None:
        if NodeStore(work.connection).settle(job.claim, NodeStatus.CANCELLED, Cancelled.outcome, self._clock.now()):
            self._advance(work, job.claim, progress, ended=1)
        else:
            self._discard(job.claim)

    def _advance(
        self, work: Work, claim: Claim, progress: Progress, *, ended: int, output_bytes: int = 0, error: JsonObject | None = None
    ) -> None:
        """Count the nodes that ended, and end the execution with the last of them."""
        nodes = NodeStore(work.connection)
        nodes.advance(claim.execution_id, ended=ended, output_bytes=output_bytes, error=None if progress.failing else error)
        if progress.nodes_left > ended:
            return
        status = ExecutionStatus.FAILED if progress.failing or error else ExecutionStatus.COMPLETED
        now = self._clock.now()
        nodes.end_execution(claim.execution_id, status, now)
        ReportStore(work.connection).changed(claim.execution_id, now)
        work.outbox.ring(TaskName.REPORT, execution_id=claim.execution_id)
        log.info("execution_ended", status=status.value)

    def _discard(self, claim: Claim) -> None:
        """The node was cancelled, or another worker took it over: this one changes nothing."""
        log.warning("node_result_discarded", execution_id=claim.execution_id, node_id=claim.node_id, epoch=claim.epoch)


def decide_on(
    nodes: NodeStore, plan: Plan, execution_id: str, decisions: Mapping[str, tuple[int, int]], *, now: datetime, ready_as: NodeStatus
) -> tuple[list[str], list[str]]:
    """Count decided edges, level by level: a skipped node decides its own. Returns the nodes to ring for, and those that are skipped."""
    ready: list[str] = []
    skipped: list[str] = []
    while decisions:
        standing = nodes.count_edges(execution_id, decisions, now, ready_as)
        ready += [node_id for node_id, status in standing.items() if status is NodeStatus.READY]
        newly_skipped = [node_id for node_id, status in standing.items() if status is NodeStatus.SKIPPED]
        skipped += newly_skipped
        decisions = skip_edges(plan, newly_skipped)
    return ready, skipped


def within_limit(ending: Ending, progress: Progress) -> Ending:
    """A success whose output no longer fits the execution is a failure."""
    if not isinstance(ending, Succeeded) or progress.output_bytes + ending.output_bytes <= MAX_EXECUTION_OUTPUT_BYTES:
        return ending
    return Failed(OutputTooLarge(f"The outputs of all nodes together exceed the {MAX_EXECUTION_OUTPUT_BYTES} bytes of an execution"))


def ring_for(work: Work, nodes: Iterable[tuple[str, str]]) -> None:
    """Ring for many nodes, each (execution id, node id), in one statement."""
    work.outbox.ring_each(TaskName.RUN_NODE, [{"execution_id": execution_id, "node_id": node_id} for execution_id, node_id in nodes])


def delay_seconds(policy: RetryPolicy, failures: int, retry_after_seconds: float | None, random: Random) -> float:
    """Wait before the next attempt: the policy's delay, spread over its upper half so that many nodes do not come back at once,
    and never shorter than what the called service asked for."""
    seconds = policy.delay_ms(failures) / 1000 * random.uniform(0.5, 1.0)
    return max(seconds, retry_after_seconds or 0.0)
