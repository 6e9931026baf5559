"""Flows: register, read, check, run, and what ran."""

from typing import cast

from flask import Blueprint, Response, request, url_for

from gateway.api.answers import answer
from gateway.api.freshness import CONDITION, fresh_answer
from gateway.api.models.common import JsonObject, Page, Pagination, Success
from gateway.api.models.executions import ExecuteBody, ExecutionShape, ExecutionSummaryShape, HistoryQuery
from gateway.api.models.flows import FlowPageShape, FlowShape, FlowsQuery, RegisteredShape, ValidationShape
from gateway.api.operations import operation
from gateway.api.parsing import IDEMPOTENCY_KEY, find_idempotency_key, parse_body, parse_query, preferred_wait_seconds, refuse_together
from gateway.api.services import services
from gateway.configuration.model import FlowFilters
from gateway.flows.model import FlowDocument
from gateway.security.bodies import read_json
from gateway.security.callers import caller_name
from gateway.security.scopes import Scope, requires

blueprint = Blueprint("flows", __name__)
WAIT_HEADER = {"Prefer": "wait=N: answer when the run ends, at most N seconds later (RFC 7240; more than 30 counts as 30)"}
KEY_HEADER = {IDEMPOTENCY_KEY: "Started at most once for each key; the same key answers the same execution"}


@blueprint.post("")
@requires(Scope.FLOWS_WRITE)
@operation(
    "Register a flow",
    body=FlowDocument,
    answers={201: Success[JsonObject], 202: Success[RegisteredShape]},
    problems=(400, 409, 413, 415, 503),
)
def register() -> Response:
    """201 when the registry has it; 202 when the registry is down: the flow runs already, and its upload waits."""
    registered = services().flows.register(read_json(request))
    location = {"Location": url_for("flows.show", flow_id=registered.document["id"])}
    if registered.pending:
        pending = cast("RegisteredShape", {**registered.document, "status": "pending", "pending": True})
        return answer(Success[RegisteredShape](data=pending), 202, location)
    return answer(Success[JsonObject](data=registered.document), 201, location)


@blueprint.get("")
@requires(Scope.READ)
@operation("List flows", query=FlowsQuery, answers={200: FlowPageShape, 304: None}, problems=(400, 503), headers=CONDITION)
def index() -> Response:
    """Definitions by page, filtered by type, status and tag."""
    query = parse_query(FlowsQuery)
    known = services().flows.list_flows(_filters(query), query.page, query.limit)
    found = known.value
    return fresh_answer(
        FlowPageShape,
        list(found.documents),
        known,
        fresh_seconds=None,  # a flow that was just registered must be on the page
        pagination=Pagination.of(page=found.page, limit=found.limit, total=found.total),
    )


@blueprint.get("/<flow_id>")
@requires(Scope.READ)
@operation("Read a flow", answers={200: FlowShape, 304: None}, problems=(404, 503), headers=CONDITION)
def show(flow_id: str) -> Response:
    """One definition."""
    known = services().flows.get_document(flow_id)
    fresh_seconds = services().settings.configuration.flows_fresh_seconds
    return fresh_answer(FlowShape, known.value, known, fresh_seconds=fresh_seconds, state=known.state, problem=known.problem)


@blueprint.post("/<flow_id>/validate")
@requires(Scope.READ)
@operation("Check a flow", answers={200: Success[ValidationShape]}, problems=(404, 503))
def validate(flow_id: str) -> Response:
    """What would stop it running (errors) and what looks wrong (warnings), each with its JSON pointer."""
    return answer(Success[ValidationShape](data=ValidationShape.of(flow_id, services().flows.validate(flow_id))))


@blueprint.post("/<flow_id>/execute")
@requires(Scope.FLOWS_EXECUTE)
@operation(
    "Start a flow",
    body=ExecuteBody,
    body_required=False,
    answers={200: Success[ExecutionShape], 202: Success[ExecutionShape]},
    problems=(400, 404, 409, 413, 415, 422, 503),
    headers={**KEY_HEADER, **WAIT_HEADER},
)
def execute(flow_id: str) -> Response:
    """202 at once, with the execution's address; with `Prefer: wait=N` 200 when it ends within N seconds."""
    body, executions = parse_body(ExecuteBody), services().executions
    started = executions.start(
        flow_id,
        body.parameters,
        triggered_by=body.triggered_by,
        execution_context=body.execution_context,
        idempotency_key=find_idempotency_key(),
        caller=caller_name(),
    )
    return _after_waiting(started.execution.id)


@blueprint.get("/<flow_id>/executions")
@requires(Scope.READ)
@operation("List a flow's executions", query=HistoryQuery, answers={200: Page[ExecutionSummaryShape]}, problems=(400, 404, 503))
def history(flow_id: str) -> Response:
    """Newest first, by `page` or by `offset`. A flow that ran here has its history, whatever became of it."""
    refuse_together("page", "offset")
    query = parse_query(HistoryQuery)
    first = query.first
    page = services().executions.list_for_flow(flow_id, status=query.status, limit=query.limit, offset=first)
    if page.total == 0:
        services().flows.get_document(flow_id)  # 404 for a flow that nobody knows, as everywhere else
    shapes = [ExecutionSummaryShape.made_from(execution) for execution in page.executions]
    pagination = Pagination.at(offset=first, limit=query.limit, total=page.total)
    return answer(Page[ExecutionSummaryShape](data=shapes, pagination=pagination))


def _after_waiting(execution_id: str) -> Response:
    wait_seconds = preferred_wait_seconds()
    executions = services().executions
    view = executions.wait(execution_id, wait_seconds) if wait_seconds else executions.get(execution_id)
    headers = {"Location": url_for("executions.show", execution_id=execution_id)}
    if wait_seconds:
        headers["Preference-Applied"] = f"wait={wait_seconds}"
    ended = bool(wait_seconds) and view.status.is_final
    return answer(Success[ExecutionShape](data=ExecutionShape.made_from(view)), 200 if ended else 202, headers)


def _filters(query: FlowsQuery) -> FlowFilters:
    return FlowFilters(
        type=query.type,
        status=query.status,
        created_by=query.created_by,
        tags=query.all_tags(),
        sort_by=query.sort_by,
        sort_order=query.sort_order,
        include_archived=query.include_archived,
    )
