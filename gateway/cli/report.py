"""How a command tells what it found: for people in rows, for programs as JSON, and by its exit code."""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import click

from gateway.errors import GatewayError

OK, FAILED = 0, 1


@dataclass(frozen=True)
class Check:
    """One named check and how it ended. `detail` says what was found, or why it failed."""

    name: str
    passed: bool
    detail: str
    elapsed_ms: int

    def line(self) -> str:
        """As the report prints it."""
        if self.passed:
            return f"✅ {self.name} - PASSED ({self.elapsed_ms}ms)"
        return f"❌ {self.name} - FAILED ({self.elapsed_ms}ms): {self.detail}"


class CheckFailed(Exception):
    """What a check found wrong, in one sentence."""


def run_check(name: str, check: Callable[[], str]) -> Check:
    """Run one check; it returns what it found, and raises CheckFailed, an error of ours or an OSError when it fails."""
    started = time.perf_counter()
    try:
        detail, passed = check(), True
    except GatewayError as error:
        detail, passed = error.detail, False
    except (CheckFailed, OSError) as error:
        detail, passed = str(error), False
    return Check(name, passed, detail, round((time.perf_counter() - started) * 1000))


def demand(condition: object, problem: str) -> None:
    """Fail the check with `problem` unless `condition` holds.

    Raises:
        CheckFailed: it does not hold.
    """
    if not condition:
        raise CheckFailed(problem)


def print_checks(checks: Sequence[Check], *, title: str, good: str, bad: str, as_json: bool) -> int:
    """Print all of them; returns the exit code: 0 when every one passed, 1 otherwise."""
    passed = all(check.passed for check in checks)
    if as_json:
        rows = [{"name": row.name, "passed": row.passed, "detail": row.detail, "elapsedMs": row.elapsed_ms} for row in checks]
        print_json({"passed": passed, "checks": rows})
    else:
        click.echo("\n".join([title, *(check.line() for check in checks), "", good if passed else bad]))
    return OK if passed else FAILED


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(value, indent=2, default=str, ensure_ascii=False))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns as wide as their longest cell."""
    table = [tuple(headings), *(tuple(row) for row in rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    for row in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
