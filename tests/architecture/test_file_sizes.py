"""Files and functions obey their size: 500 lines and 40 lines at the most (design.md, Rules of thumb)."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("config", "gateway", "tasks", "configservice", "embedded", "migrations", "samples", "tests", "benchmarks")
MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 40
FORBIDDEN_NAMES = {"utils.py", "helpers.py", "manager.py", "common_utils.py", "misc.py"}
FILES = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))


def test_files_are_short_enough_to_read() -> None:
    too_long = {str(file.relative_to(ROOT)): lines for file in FILES if (lines := len(file.read_text().splitlines())) > MAX_FILE_LINES}
    assert too_long == {}


def test_no_file_is_a_drawer_for_everything() -> None:
    assert [str(file) for file in FILES if file.name in FORBIDDEN_NAMES] == []


def test_functions_are_short_enough_to_read() -> None:
    hand_written = [file for file in FILES if "versions" not in file.parts]
    too_long = [f"{file.relative_to(ROOT)}: {name}: {lines}" for file in hand_written for name, lines in functions_of(file)]
    assert [line for line in too_long if int(line.rsplit(" ", 1)[1]) > MAX_FUNCTION_LINES] == []


def functions_of(file: Path) -> Iterator[tuple[str, int]]:
    """Name and lines of code of each function, its docstring left out."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            yield node.name, (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
