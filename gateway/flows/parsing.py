"""From a JSON document to a FlowDefinition and back.

Two ways in: `parse_flow` for what somebody registers (strict), `parse_stored_flow` for what a registry answers (its own extra fields
and nulls are dropped). Both refuse what can never run.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ValidationError

from gateway.errors import FieldError
from gateway.flows.errors import FlowInvalid
from gateway.flows.limits import find_excess, pointer_to
from gateway.flows.model import MAX_EDGES, MAX_ITEMS, MAX_NODES, FlowDefinition
from gateway.flows.rules import broken_rules
from gateway.flows.wording import in_plain_words

Extra = Literal["forbid", "ignore"]
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
    return _parse(document, extra="forbid")


def parse_stored_flow(document: object) -> FlowDefinition:
    """Read a definition that a registry answered: unknown fields (createdAt, updatedAt, …) and nulls are dropped, the rest is as strict.

    Raises:
        FlowInvalid: see `parse_flow`.
    """
    return _parse(_without_nulls(document), extra="ignore")


def read_shape(document: object) -> FlowDefinition:
    """Like `parse_stored_flow`, but rules between the parts (ids, edges, cycles, expressions) are left to `validation.validate`.

    Raises:
        FlowInvalid: the document does not have the shape of a definition.
    """
    return _read(_without_nulls(document), extra="ignore")


def to_document(flow: FlowDefinition) -> dict[str, Any]:
    """The wire form: camelCase, only what was given, no nulls but those inside config, default and the like."""
    document: dict[str, Any] = flow.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return document


def _parse(document: object, *, extra: Extra) -> FlowDefinition:
    flow = _read(document, extra=extra)
    if problems := broken_rules(flow):
        raise _invalid(problems)
    return flow


def _read(document: object, *, extra: Extra) -> FlowDefinition:
    if not isinstance(document, Mapping):
        raise _invalid([FieldError("", "must be an object")])
    if problems := _oversized(document):
        raise _invalid(problems)
    try:
        return FlowDefinition.model_validate(document, extra=extra)
    except ValidationError as error:
        raise _invalid(_field_errors(error)) from error


def _oversized(document: Mapping[Any, Any]) -> list[FieldError]:
    """Counts first: ten thousand nodes are refused without a look at any of them."""
    long = [
        FieldError(f"/{name}", f"holds {len(value)} items; at most {limit} are allowed")
        for name, limit in LISTS.items()
        if isinstance(value := document.get(name), list) and len(value) > limit
    ]
    excess = None if long else find_excess(dict(document))
    return [excess] if excess else long


def _without_nulls(document: object) -> object:
    """Drop nulls that stand for "absent": on the definition, on items of its lists and in retryPolicy. Nulls inside free objects stay."""
    if not isinstance(document, Mapping):
        return document
    kept = {key: value for key, value in document.items() if value is not None}
    for name in LISTS:
        if isinstance(items := kept.get(name), list):
            kept[name] = [_drop_nulls(item, keep=("default",)) for item in items]
    if "retryPolicy" in kept:
        kept["retryPolicy"] = _drop_nulls(kept["retryPolicy"])
    return kept


def _drop_nulls(value: object, keep: tuple[str, ...] = ()) -> object:
    if not isinstance(value, Mapping):
        return value
    return {key: item for key, item in value.items() if item is not None or key in keep}


def _field_errors(error: ValidationError) -> list[FieldError]:
    """Every problem once; a list whose items are all wrong is not called empty on top."""
    found = error.errors(include_url=False, include_input=False)
    parents = {each["loc"][:-depth] for each in found for depth in range(1, len(each["loc"]))}
    return [
        FieldError(pointer_to(*each["loc"]), in_plain_words(each))
        for each in found
        if each["type"] != "too_short" or each["loc"] not in parents
    ]


def _invalid(problems: list[FieldError]) -> FlowInvalid:
    first = problems[0]
    others = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return FlowInvalid(f"The flow definition is invalid: {first.pointer or 'it'} {first.detail}{others}", problems)
