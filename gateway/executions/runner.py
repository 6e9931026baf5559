"""Runs claimed nodes: claim, run, settle, and go on with the next node when that is quick.

One transaction claims, one settles; nothing is locked and no connection is held while a node runs.
"""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import structlog

from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.executions.errors import NodeLost, OutputNotJson, OutputTooLarge
from gateway.executions.job import Cancelled, Ending, Failed, Job, Succeeded
from gateway.executions.kinds.call import Kind, NodeCall
from gateway.executions.leases import Leases
from gateway.executions.model import MAX_LOST_ATTEMPTS, MAX_NODE_OUTPUT_BYTES, NodeStatus
from gateway.executions.postgres_nodes import NodeStore
from gateway.executions.scope import Scope, decide_edges, render_config
from gateway.executions.settling import Settler
from gateway.observability.context import accept_request_id, request_context
from gateway.outbox.service import Outbox

log = structlog.get_logger(__name__)

CONTINUE_SECONDS = 1.0  # one ring may run node after node for this long; then the next worker is rung for
TRANSFORM = "transform"


class Runner:
    """One per process. `kinds` by node type; any other type runs as `capability`."""

    def __init__(
        self, *, outbox: Outbox, settler: Settler, leases: Leases, kinds: Mapping[str, Kind], capability: Kind, clock: Clock
    ) -> None:
        self._outbox = outbox
        self._settler = settler
        self._leases = leases
        self._kinds = kinds
        self._capability = capability
        self._clock = clock

    def run(self, execution_id: str, node_id: str) -> None:
        """Run one node, and the nodes after it as long as that is quick. Harmless when rung twice: the claim admits one runner.

        Raises:
            DatabaseError: PostgreSQL failed; the lease runs out and the sweeper rings again.
        """
        until = self._clock.monotonic() + CONTINUE_SECONDS
        job = self._claim(execution_id, node_id)
        while job is not None:
            job = self._run_one(job, until)

    def _claim(self, execution_id: str, node_id: str) -> Job | None:
        with self._outbox.transaction() as work:
            claim = NodeStore(work.connection).claim(execution_id, node_id, self._settler.worker, self._clock.now(), self._leases.end())
            if claim:
                return self._settler.prepare(work, claim)
        log.info("node_claim_refused", execution_id=execution_id, node_id=node_id)  # somebody has it, it ended, or it never was
        return None

    def _run_one(self, job: Job, until: float) -> Job | None:
        claim = job.claim
        fields = {"execution_id": claim.execution_id, "node_id": claim.node_id, "flow_id": claim.flow_id}
        with request_context(accept_request_id(claim.request_id), **fields):
            began = self._clock.monotonic()
            ending = self._attempt(job)
            duration_ms = round((self._clock.monotonic() - began) * 1000)
            log.info("node_attempt_ended", outcome=ending.outcome.value, type=job.node.type, epoch=claim.epoch, duration_ms=duration_ms)
            return self._settler.settle(job, ending, go_on=self._clock.monotonic() < until)

    def _attempt(self, job: Job) -> Ending:
        if job.claim.failing:
            return Cancelled()
        if job.claim.losses >= MAX_LOST_ATTEMPTS:
            return Failed(NodeLost("The workers that ran this node died, each time"))
        try:
            with self._lease(job):
                return self._run_kind(job)
        except GatewayError as error:
            return Failed(error)
        except Exception as error:  # a bug in a kind must end the node, not wear out its leases
            log.exception("node_attempt_crashed", type=job.node.type)
            return Failed(error)

    def _lease(self, job: Job) -> AbstractContextManager[None]:
        return nullcontext() if job.node.type == TRANSFORM else self._leases.keep(job.claim)

    def _run_kind(self, job: Job) -> Succeeded:
        scope = scope_of(job)
        claim, node = job.claim, job.node
        call = NodeCall(
            execution_id=claim.execution_id,
            flow_id=claim.flow_id,
            node_id=node.id,
            type=node.type,
            config=render_config(job.plan, node.id, scope),
            inputs={
                source: result.output
                for source in job.plan.sources(node.id)
                if (result := job.results.get(source)) and result.status is NodeStatus.COMPLETED
            },
            parameters=claim.parameters,
            is_wanted=lambda: self._leases.holds(claim),
            may_repeat=not job.plan.flow.says_how_often,
        )
        output = self._kinds.get(node.type, self._capability)(call)
        output_bytes = measure(output)
        return Succeeded(output, output_bytes, decide_edges(job.plan, node.id, scope, output))


def scope_of(job: Job) -> Scope:
    """What the expressions of this node see."""
    claim = job.claim
    return Scope(claim.execution_id, claim.flow_id, claim.triggered_by, claim.parameters, job.results)


def measure(output: Any) -> int:
    """Size of an output as JSON, in bytes.

    Raises:
        OutputTooLarge, OutputNotJson.
    """
    try:
        size = len(json.dumps(output, allow_nan=False, separators=(",", ":")))
    except (TypeError, ValueError, RecursionError) as error:
        raise OutputNotJson("The output of the node has no form in JSON") from error
    if size > MAX_NODE_OUTPUT_BYTES:
        raise OutputTooLarge(f"The output of the node is {size} bytes, more than the {MAX_NODE_OUTPUT_BYTES} that a node may keep")
    return size
