"""From a JSON document to a FlowDefinition, which keeps its wire form in `document`.

Two ways in: `parse_flow` for what somebody registers (strict), `parse_stored_flow` for what a registry answers (its own extra fields
and nulls are dropped). Both refuse what can never run.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import structs

from gateway.errors import FieldError
from gateway.flows.errors import FlowInvalid
from gateway.flows.limits import find_excess, pointer_to
from gateway.flows.model import MAX_EDGES, MAX_ITEMS, MAX_NODES, FlowDefinition, FlowDocument
from gateway.flows.rules import broken_rules
from gateway.shapes.reading import Unfit, known_part, read

LISTS = {
    "nodes": MAX_NODES,
    "edges": MAX_EDGES,
    "dependencies": MAX_ITEMS,
    "parameters": MAX_ITEMS,
    "credentials": MAX_ITEMS,
    "triggers": MAX_ITEMS,
    "tags": MAX_ITEMS,
}


def parse_flow(document: object) -> FlowDefinition:
    """Read a definition that somebody registers.

    Unknown fields, nulls, duplicate ids, edges to nowhere, cycles, expressions that do not compile and wrong configs of our own
    node kinds are refused. The work is bounded whatever comes in.

    Raises:
        FlowInvalid: `errors` names every problem found (at most a hundred) with a JSON pointer into `document`.
    """
    return _checked(_read(document))


def parse_stored_flow(document: object) -> FlowDefinition:
    """Read a definition that a registry answered: unknown fields (createdAt, updatedAt, …) and nulls are dropped, the rest is as strict.

    Raises:
        FlowInvalid: see `parse_flow`.
    """
    return _checked(read_shape(document))


def read_shape(document: object) -> FlowDefinition:
    """Like `parse_stored_flow`, but rules between the parts (ids, edges, cycles, expressions) are left to `validation.validate`.

    Raises:
        FlowInvalid: the document does not have the shape of a definition.
    """
    return _read(known_part(FlowDocument, document))


def _checked(flow: FlowDefinition) -> FlowDefinition:
    if problems := broken_rules(flow):
        raise _invalid(problems)
    return flow


def _read(document: object) -> FlowDefinition:
    if not isinstance(document, Mapping):
        raise _invalid([FieldError("", "must be an object")])
    if problems := _oversized(document):
        raise _invalid(problems)
    try:
        written = read(FlowDocument, document)
    except Unfit as error:
        raise _invalid([FieldError(pointer_to(*flaw.path), flaw.detail) for flaw in error.flaws]) from error
    return FlowDefinition(**structs.asdict(written), document=dict(document))


def _oversized(document: Mapping[Any, Any]) -> list[FieldError]:
    """Counts first: ten thousand nodes are refused without a look at any of them."""
    long = [
        FieldError(f"/{name}", f"holds {len(value)} items; at most {limit} are allowed")
        for name, limit in LISTS.items()
        if isinstance(value := document.get(name), list) and len(value) > limit
    ]
    excess = None if long else find_excess(dict(document))
    return [excess] if excess else long


def _invalid(problems: list[FieldError]) -> FlowInvalid:
    first = problems[0]
    others = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return FlowInvalid(f"The flow definition is invalid: {first.pointer or 'it'} {first.detail}{others}", problems)
