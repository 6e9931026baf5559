"""What makes a definition one that can never run, beyond the shapes of `model.py`. Every rule names its place in the document."""

import re
from collections.abc import Iterable, Iterator

from gateway.errors import FieldError
from gateway.flows.graph import find_cycle
from gateway.flows.model import FlowDefinition

ID_PATTERN = re.compile(r"[A-Za-z0-9_.:-]{1,100}")  # goes into URLs and the Idempotency-Key header


def broken_rules(flow: FlowDefinition) -> list[FieldError]:
    """Every rule the definition breaks; empty for one that can run."""
    problems = [*_bad_ids(flow), *_duplicates(flow), *_edges_to_nowhere(flow)]
    return problems or [*_cycles(flow)]


def _bad_ids(flow: FlowDefinition) -> Iterator[FieldError]:
    for pointer, name in [(f"/nodes/{index}/id", node.id) for index, node in enumerate(flow.nodes)] + [
        (f"/edges/{index}/id", edge.id) for index, edge in enumerate(flow.edges)
    ]:
        if not ID_PATTERN.fullmatch(name):
            yield FieldError(pointer, "may hold letters, digits and _ . : - only")


def _duplicates(flow: FlowDefinition) -> Iterator[FieldError]:
    yield from _repeated("/nodes/{}/id", (node.id for node in flow.nodes))
    yield from _repeated("/edges/{}/id", (edge.id for edge in flow.edges))
    yield from _repeated("/parameters/{}/name", (parameter.name for parameter in flow.parameters))


def _repeated(pointer: str, names: Iterable[str]) -> Iterator[FieldError]:
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if first.setdefault(name, index) != index:
            yield FieldError(pointer.format(index), f"{name!r} is used by {pointer.format(first[name])} already")


def _edges_to_nowhere(flow: FlowDefinition) -> Iterator[FieldError]:
    known = {node.id for node in flow.nodes}
    for index, edge in enumerate(flow.edges):
        for end, node_id in (("source", edge.source), ("target", edge.target)):
            if node_id not in known:
                yield FieldError(f"/edges/{index}/{end}", f"names no node of this flow: {node_id!r}")


def _cycles(flow: FlowDefinition) -> Iterator[FieldError]:
    cycle = find_cycle([node.id for node in flow.nodes], flow.edges)
    if cycle:
        yield FieldError("/edges", f"form a cycle: {' -> '.join(cycle[:20])}{' -> …' if len(cycle) > 20 else ''}")
