"""How much work an expression may do, estimated before it runs: the library cannot be interrupted and holds the interpreter's lock.

The estimate is an upper bound. `map` and `filter` copy the list they have gathered at every step (measured: 0.1 s for 2,000 numbers and
`map`, 1.2 s for 2,000 records and `filter`), so their cost is the square of the list's length.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from gateway.flows.errors import ExpressionFailed
from gateway.flows.tokens import Outline, Reference

MAX_STEPS = 20_000_000  # values copied; about 0.1 µs each
TURN = 10  # steps that one turn of a loop takes besides (measured: about 1 µs)
MAX_VALUES = 1_000_000  # values read by one expression
MAX_DATA_DEPTH = 100
MISSING = object()


@dataclass(frozen=True)
class Size:
    """`values` of a JSON value (long texts count for more), and the length of the longest list or object in it."""

    values: int
    longest: int


def pick(scope: Mapping[str, Any], references: Iterable[Reference]) -> dict[str, Any]:
    """The part of the scope that the references read, so that nothing else is handed to the library."""
    picked: dict[str, Any] = {}
    for path in sorted({reference.path for reference in references}, key=len, reverse=True):
        _graft(picked, scope, path)
    return picked


def check_cost(outline: Outline, scope: Mapping[str, Any]) -> None:
    """Refuse an expression that would do too much work on this data.

    Raises:
        ExpressionFailed: more than `MAX_STEPS` steps, more than `MAX_VALUES` values, or data nested deeper than `MAX_DATA_DEPTH`.
    """
    sizes = [(reference, measure(_follow(scope, reference.path))) for reference in outline.references]
    if sum(size.values for _, size in sizes) > MAX_VALUES:
        raise ExpressionFailed(f"The expression reads more than {MAX_VALUES} values")
    steps = estimate(outline, sizes)
    if steps > MAX_STEPS:
        raise ExpressionFailed(
            f"The expression may take {steps:.0e} steps on this data; at most {MAX_STEPS:.0e} are allowed. Leave it to a service"
        )


def estimate(outline: Outline, sizes: list[tuple[Reference, Size]]) -> int:
    """Upper bound of the values that evaluating copies, from the size of what each reference reads."""
    read = sum(size.values for _, size in sizes)
    if not outline.loops:
        return outline.pattern_cost + read
    growth = prod(max(1, loop.uses) for loop in outline.loops)
    length = _longest(outline, [size.longest for _, size in sizes]) * growth
    everything = (read + outline.literals) * growth
    steps = everything
    for loop in outline.loops:
        brought = sum(
            size.values * length ** (reference.loops - loop.nesting + 1) for reference, size in sizes if reference.loops >= loop.nesting
        )
        gathered = everything + brought + outline.literals * length if loop.builds else outline.literals
        steps += length**loop.nesting * (TURN + gathered + outline.pattern_cost)
    return steps


def _longest(outline: Outline, lengths: list[int]) -> int:
    """The longest list there can be before loops make it grow: adding joins lists, a written list has one item more than commas."""
    joined = sum(lengths) if outline.adds else max(lengths, default=0)
    return max(1, joined) + outline.commas


def measure(value: object) -> Size:
    """Count a JSON value without recursion; stops counting beyond `MAX_VALUES`.

    Raises:
        ExpressionFailed: it is nested deeper than `MAX_DATA_DEPTH`.
    """
    values, longest, depth = 0, 1, 0
    level: list[object] = [value]
    while level:
        values += len(level) + sum(len(item) // 32 for item in level if isinstance(item, str))
        children: list[object] = []
        for item in level:
            if isinstance(item, (dict, list, tuple)):
                longest = max(longest, len(item))
                children.extend(item.values() if isinstance(item, dict) else item)
                if len(children) > MAX_VALUES:
                    return Size(MAX_VALUES + 1, longest)
        level, depth = children, depth + 1
        if depth > MAX_DATA_DEPTH:
            raise ExpressionFailed(f"The expression reads data nested deeper than {MAX_DATA_DEPTH} levels")
    return Size(values, longest)


def _follow(scope: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """The value at the path, or at the last part of it that is an object."""
    value: Any = scope
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return value if not isinstance(value, Mapping) else None
        value = value[key]
    return value


def _graft(picked: dict[str, Any], scope: Mapping[str, Any], path: tuple[str, ...]) -> None:
    """Copy what stands at the path, creating the objects on the way. Longer paths come first, so that a shorter one replaces them whole."""
    source: Any = scope
    target = picked
    for key in path[:-1]:
        if key not in source:
            return
        source = source[key]
        if not isinstance(source, Mapping):
            target[key] = source
            return
        target = target.setdefault(key, {})
    if path[-1] in source:
        target[path[-1]] = source[path[-1]]
