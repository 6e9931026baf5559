"""What would stop a registered flow, and what looks wrong: the language's own validation, and what only the registry knows."""

from typing import Any

from configservice.flows.model import DependencyGraph, Neighbour, StoredFlow
from gateway.errors import FieldError
from gateway.flows.errors import FlowInvalid
from gateway.flows.model import FlowStatus
from gateway.flows.parsing import read_shape
from gateway.flows.validation import validate

NO_DETAILS: dict[str, list[dict[str, Any]]] = {
    "nodesValidation": [],
    "edgesValidation": [],
    "dependenciesValidation": [],
    "credentialsValidation": [],
}


def check_flow(graph: DependencyGraph) -> dict[str, Any]:
    """`{flowId, isValid, errors, warnings, details}`; errors and warnings are sentences that begin with a JSON pointer."""
    errors, warnings, details = _check_definition(graph.flow)
    neighbours = {each.other_id: each for each in graph.dependencies.get(graph.flow.id, ())}
    for index, entry in enumerate(details["dependenciesValidation"]):
        found_errors, found_warnings = _check_dependency(neighbours.get(entry["flowId"]))
        errors += [f"/dependencies/{index}: {each}" for each in found_errors]
        warnings += [f"/dependencies/{index}: {each}" for each in found_warnings]
        entry["isValid"] = entry["isValid"] and not found_errors
        entry["issues"] = [*entry["issues"], *found_errors, *found_warnings]
    return {"flowId": graph.flow.id, "isValid": not errors, "errors": errors, "warnings": warnings, "details": details}


def _check_definition(flow: StoredFlow) -> tuple[list[str], list[str], dict[str, list[dict[str, Any]]]]:
    try:
        found = validate(read_shape({**flow.document, "status": flow.status.value}))
    except FlowInvalid as error:  # stored under older rules
        return [_sentence(each) for each in error.errors], [], dict(NO_DETAILS)
    return [_sentence(each) for each in found.errors], [_sentence(each) for each in found.warnings], found.details()


def _check_dependency(neighbour: Neighbour | None) -> tuple[list[str], list[str]]:
    if neighbour is None or neighbour.status is None:
        return ["is not registered"], []
    if neighbour.status == FlowStatus.ARCHIVED:
        return ["is archived: it runs no more"], []
    return [], (["is deprecated"] if neighbour.status == FlowStatus.DEPRECATED else [])


def _sentence(issue: FieldError) -> str:
    return f"{issue.pointer}: {issue.detail}" if issue.pointer else issue.detail
