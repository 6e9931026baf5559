"""No test asserts how long something took: on a busy machine that is luck. Count calls, move a clock, or wait until it holds."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
CLOCKS = {"monotonic", "perf_counter", "time", "process_time"}


def timed_assertions(source: str) -> list[int]:
    """Lines that assert on an elapsed time: a clock's reading with something taken from it, or a variable that holds that."""
    tree = ast.parse(source)
    held = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _is_elapsed(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    compared = [
        node for check in ast.walk(tree) if isinstance(check, ast.Assert) for node in ast.walk(check) if isinstance(node, ast.Compare)
    ]
    return [
        node.lineno
        for node in compared
        if any(_is_elapsed(part) or (isinstance(part, ast.Name) and part.id in held) for part in (node.left, *node.comparators))
    ]


def _is_elapsed(node: ast.AST) -> bool:
    taken = node.left if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) else None
    called = taken.func if isinstance(taken, ast.Call) else None
    return isinstance(called, ast.Attribute) and called.attr in CLOCKS and isinstance(called.value, ast.Name) and called.value.id == "time"


@pytest.mark.parametrize("asserted", ["time.monotonic() - began < 5", "took < 5", "0 < took", "time.perf_counter() - x < 1 and True"])
def test_it_knows_one_when_it_sees_it(asserted: str) -> None:
    assert timed_assertions(f"took = time.monotonic() - began\nassert {asserted}") == [2]


def test_no_test_asserts_how_long_something_took() -> None:
    found = {str(file.relative_to(TESTS)): lines for file in sorted(TESTS.rglob("*.py")) if (lines := timed_assertions(file.read_text()))}
    assert found == {}
