"""What makes a definition one that can never run, beyond the shapes of `model.py`. Every rule names its place in the document."""

import re
from collections.abc import Iterable, Iterator

from msgspec import UNSET

from gateway.errors import FieldError
from gateway.flows.errors import ExpressionInvalid
from gateway.flows.expressions import Condition, compile_condition, compile_template
from gateway.flows.graph import find_cycle
from gateway.flows.limits import pointer_to
from gateway.flows.model import FlowDefinition
from gateway.flows.node_config import config_problems
from gateway.flows.patterns import is_pattern, pattern_cost

ID_PATTERN = re.compile(r"[A-Za-z0-9_.:-]{1,100}")  # goes into URLs and the Idempotency-Key header
MAX_EXPRESSIONS = 2_000  # in all configs and conditions of a flow
MAX_TOKENS = 20_000  # words and signs of all of them: compiling takes some 20 µs for each
MAX_PATTERN_COST = 3_000  # of all parameters' patterns; see patterns.pattern_cost
MAX_PROBLEMS = 100


def broken_rules(flow: FlowDefinition) -> list[FieldError]:
    """Every rule the definition breaks, at most a hundred; empty for one that can run."""
    problems = [*_bad_ids(flow), *_duplicates(flow), *_edges_to_nowhere(flow)]
    if not problems:
        problems = [*_cycles(flow), *_bad_configs(flow), *_bad_parameters(flow), *_bad_expressions(flow)]
    return problems[:MAX_PROBLEMS]


def _bad_ids(flow: FlowDefinition) -> Iterator[FieldError]:
    named = [(pointer_to("nodes", index, "id"), node.id) for index, node in enumerate(flow.nodes)]
    named += [(pointer_to("edges", index, "id"), edge.id) for index, edge in enumerate(flow.edges)]
    for pointer, name in named:
        if not ID_PATTERN.fullmatch(name):
            yield FieldError(pointer, "may hold letters, digits and _ . : - only, at most 100")


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
                yield FieldError(pointer_to("edges", index, end), f"names no node of this flow: {node_id!r}")


def _cycles(flow: FlowDefinition) -> Iterator[FieldError]:
    cycle = find_cycle([node.id for node in flow.nodes], flow.edges)
    if cycle:
        yield FieldError("/edges", f"form a cycle: {' -> '.join(cycle[:20])}{' -> …' if len(cycle) > 20 else ''}")


def _bad_configs(flow: FlowDefinition) -> Iterator[FieldError]:
    for index, node in enumerate(flow.nodes):
        for problem in config_problems(node.type, node.config):
            yield FieldError(pointer_to("nodes", index, "config") + problem.pointer, problem.detail)


def _bad_parameters(flow: FlowDefinition) -> Iterator[FieldError]:
    cost = 0
    for index, parameter in enumerate(flow.parameters):
        if "pattern" not in (parameter.validation or {}):
            continue
        pointer = pointer_to("parameters", index, "validation", "pattern")
        pattern = (parameter.validation or {})["pattern"]
        cost += pattern_cost(str(pattern))
        if cost > MAX_PATTERN_COST:
            yield FieldError(pointer, "makes the patterns of this flow too large")
            return
        if not is_pattern(pattern):
            yield FieldError(pointer, "is no regular expression of RE2 syntax, or repeats too much")


def _bad_expressions(flow: FlowDefinition) -> Iterator[FieldError]:
    count = tokens = 0
    for pointer, value, is_condition in _expressions(flow):
        try:
            found = compile_condition(str(value)) if is_condition else compile_template(value)
        except ExpressionInvalid as error:
            yield from _moved(pointer, error)
            continue
        count += 1 if isinstance(found, Condition) else len(found.expressions)
        tokens += found.tokens
        if count > MAX_EXPRESSIONS or tokens > MAX_TOKENS:
            yield FieldError(
                pointer, f"brings the flow to more than {MAX_EXPRESSIONS} expressions, or {MAX_TOKENS} words and signs in them"
            )
            return


def _expressions(flow: FlowDefinition) -> Iterator[tuple[str, object, bool]]:
    for index, node in enumerate(flow.nodes):
        yield pointer_to("nodes", index, "config"), node.config, False
    for index, edge in enumerate(flow.edges):
        if edge.condition is not UNSET:
            yield pointer_to("edges", index, "condition"), edge.condition, True


def _moved(pointer: str, error: ExpressionInvalid) -> list[FieldError]:
    return [FieldError(pointer + each.pointer, each.detail) for each in error.errors] or [FieldError(pointer, error.detail)]
