"""Starting an execution: check, pin the definition, write every row and ring, in one transaction."""

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from gateway.clock import Clock
from gateway.configuration.model import CopyState, Known
from gateway.errors import Conflict, FieldError, InvalidInput, KeyReused
from gateway.executions.errors import FlowArchived, FlowNotAccepted
from gateway.executions.model import ExecutionStatus, ExecutionSummary, Started
from gateway.executions.ports import FlowSource
from gateway.executions.postgres import ExecutionStore, NewExecution, NewNode
from gateway.executions.postgres_reports import ReportStore
from gateway.executions.settling import ring_for
from gateway.flows.graph import Graph
from gateway.flows.model import FlowDefinition, FlowStatus
from gateway.flows.parameters import check_parameters
from gateway.observability.context import current_request_id
from gateway.outbox.model import TaskName
from gateway.outbox.service import Outbox, Work

log = structlog.get_logger(__name__)

MAX_INPUT_BYTES = 1024 * 1024
MAX_TEXT = 255
DEPRECATED = "The flow is deprecated"


@dataclass(frozen=True)
class StartRequest:
    """What somebody asked for. `caller` scopes the Idempotency-Key together with the flow."""

    flow_id: str
    parameters: Mapping[str, Any]
    triggered_by: str
    execution_context: Mapping[str, Any]
    caller: str
    idempotency_key: str | None

    def digest(self) -> str:
        """Equal for equal requests, whatever the order of their keys."""
        body = [self.flow_id, self.parameters, self.triggered_by, self.execution_context]
        return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class Starter:
    """Starts executions."""

    def __init__(self, outbox: Outbox, flows: FlowSource, clock: Clock) -> None:
        self._outbox = outbox
        self._flows = flows
        self._clock = clock

    def start(self, request: StartRequest) -> Started:
        """Start a flow, or find the execution that the same Idempotency-Key started.

        Raises:
            InvalidInput: names each parameter that breaks its declaration. KeyReused: the key came with another body.
            NotFound, Unavailable: no such flow, or it cannot be read. FlowArchived: it does not run any more.
            FlowNotAccepted: the registry did not take it.
            DatabaseError: PostgreSQL failed; nothing was started.
        """
        check_request(request)
        found = self._find(request)
        if found:
            return found
        known = self._flows.get_flow(request.flow_id)
        check_accepted(known)
        flow = known.value
        warnings = check_status(flow)
        parameters = check_parameters(flow, request.parameters)
        started = self._insert(request, flow, parameters, warnings) or self._find(request)
        if started is None:  # it was taken when we inserted and gone when we looked: its retention ended in between
            raise Conflict("The Idempotency-Key was just forgotten; send the request again", retry_after_seconds=1)
        return started

    def _find(self, request: StartRequest) -> Started | None:
        if request.idempotency_key is None:
            return None
        with self._outbox.transaction() as work:
            found = ExecutionStore(work.connection).find_by_key(request.flow_id, request.caller, request.idempotency_key)
        if found is None:
            return None
        summary, digest = found
        if digest != request.digest():
            raise KeyReused("The Idempotency-Key was used before with another body")
        return Started(summary, created=False)

    def _insert(
        self, request: StartRequest, flow: FlowDefinition, parameters: Mapping[str, Any], warnings: tuple[str, ...]
    ) -> Started | None:
        document = flow.document
        summary = ExecutionSummary(
            id=str(uuid.uuid4()),
            flow_id=flow.id,
            flow_version=flow.version,
            status=ExecutionStatus.RUNNING,
            parameters=parameters,
            triggered_by=request.triggered_by,
            execution_context=request.execution_context,
            started_at=self._clock.now(),
            warnings=warnings,
        )
        new = NewExecution(
            summary=summary,
            definition=document,
            definition_digest=hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest(),
            request_digest=request.digest(),
            caller=request.caller,
            idempotency_key=request.idempotency_key,
            request_id=current_request_id(),
            nodes_left=len(flow.nodes),
        )
        with self._outbox.transaction() as work:
            if not ExecutionStore(work.connection).add(new):
                return None
            self._add_nodes(work, summary, flow)
        log.info("execution_started", execution_id=summary.id, flow_id=flow.id, nodes=len(flow.nodes))
        return Started(summary, created=True)

    def _add_nodes(self, work: Work, summary: ExecutionSummary, flow: FlowDefinition) -> None:
        graph = Graph(flow)
        nodes = [
            NewNode(node.id, node.name, node.type, pending=len(graph.incoming(node.id)), is_end=not graph.outgoing(node.id))
            for node in flow.nodes
        ]
        ExecutionStore(work.connection).add_nodes(summary.id, nodes, summary.started_at)
        ReportStore(work.connection).add(summary.id, summary.started_at)
        ring_for(work, [(summary.id, node_id) for node_id in graph.starts])
        work.outbox.ring(TaskName.REPORT, execution_id=summary.id)


def check_status(flow: FlowDefinition) -> tuple[str, ...]:
    """The warnings with which a flow of this status runs.

    Raises:
        FlowArchived
    """
    if flow.status is FlowStatus.ARCHIVED:
        raise FlowArchived("The flow is archived and does not run any more")
    return (DEPRECATED,) if flow.status is FlowStatus.DEPRECATED else ()


def check_accepted(known: Known[FlowDefinition]) -> None:
    """A flow whose upload waits runs; one that the registry did not take does not.

    Raises:
        FlowNotAccepted
    """
    if known.state in (CopyState.REFUSED, CopyState.CONFLICTED):
        raise FlowNotAccepted(f"The Flow Registry did not take the flow: {known.problem or known.state}")


def check_request(request: StartRequest) -> None:
    """Bounds on what is stored beside the parameters' own declarations.

    Raises:
        InvalidInput
    """
    problems = [*_text_problems("/flowId", request.flow_id), *_text_problems("/triggeredBy", request.triggered_by)]
    if request.idempotency_key is not None:
        problems += _text_problems("Idempotency-Key", request.idempotency_key)
    for pointer, value in (("/parameters", request.parameters), ("/executionContext", request.execution_context)):
        problems += _json_problems(pointer, value)
    if problems:
        raise InvalidInput("The request to start the flow is not valid", problems)


def _text_problems(pointer: str, text: str) -> list[FieldError]:
    if not 1 <= len(text) <= MAX_TEXT or not text.isprintable():
        return [FieldError(pointer, f"must be 1 to {MAX_TEXT} printable characters")]
    return []


def _json_problems(pointer: str, value: Mapping[str, Any]) -> list[FieldError]:
    try:
        size = len(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return [FieldError(pointer, "is not a JSON object, or nests too deeply")]
    return [FieldError(pointer, f"is larger than {MAX_INPUT_BYTES} bytes")] if size > MAX_INPUT_BYTES else []
