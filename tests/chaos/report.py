"""docs/faults.md: the matrix as a table. `python -m tests.chaos.report` runs the tests of the matrix and writes what they saw."""

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.chaos.deployment import Answer
from tests.chaos.faults import FAULTS
from tests.chaos.matrix import ALWAYS, Cell

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "faults.md"
TARGET_VARIABLE = "FAULTS_DOCUMENT"
ROW = re.compile(r"^\| `(\w+)` \| ([\w ]+?) \|", re.MULTILINE)
HEAD = """# Faults

What a client sees while one of the six databases misbehaves, and when it is used again. Written by `python -m tests.chaos.report`: a
gateway as gunicorn runs it, every limit at its default ({settings}), each database behind a proxy of its own that can misbehave.
PostgreSQL, ClickHouse and both Redis-protocol servers are real (a redis-server stands for DragonflyDB), Weaviate and ArangoDB are doubles
over real sockets. `tests/chaos/test_matrix.py` asserts the statuses, with shorter limits; the times are those of one run on a busy
machine with two cores.

## The faults

| fault | what happens |
|---|---|
{faults}

A server is *full* by: {filled}.

## The matrix

Every route is asked at once, nine requests at the same time: first when the fault has just begun (nobody knows of it yet), then when the
gateway has noticed. A cell reads *status, time in ms*, at the beginning → later; ⇢ names the fallback that answered. Cached answers
are not asked for (`Cache-Control: no-cache`).
`query it` asks for one row of the database itself with a timeout of 2,000 ms, `query another` for one of PostgreSQL (of Redis, when
PostgreSQL has the fault). *noticed*: until `/api/v1/status/databases` shows it; — where no ping meets the fault. *used again*: from the
end of the fault until a query is answered and the role is its own again, without a restart and without a human.

What is measured under load (`/health` and the other routes while a database hangs, ClickHouse away for a minute, the memory of a worker)
is in `make bench ARGS=chaos`.

"""


def document(cells: Sequence[Cell]) -> str:
    """The whole document."""
    routes = list(cells[0].at_once)
    columns = ["database", "fault", *(f"`{route}`" if route.startswith("/") else route for route in routes), "noticed s", "used again s"]
    head = HEAD.format(
        settings="but for " + ", ".join(f"`{name}={value}`" for name, value in ALWAYS.items()),
        faults="\n".join(f"| {fault.name} | {fault.meaning} |" for fault in FAULTS.values()),
        filled=FILLED,
    )
    databases = list(dict.fromkeys(cell.database for cell in cells))
    ordered = sorted(cells, key=lambda cell: databases.index(cell.database))
    lines = [_line(columns), _line(["---"] * len(columns)), *(_line(_cells(cell, routes)) for cell in ordered)]
    return head + "\n".join(lines) + "\n"


FILLED = (
    "`default_transaction_read_only` (PostgreSQL), `maxmemory 1` with `noeviction` (DragonflyDB, Redis), a user with `readonly = 2`\n"
    "(ClickHouse), 507 to every write (Weaviate), 403 with errorNum 1004 to every write (ArangoDB)"
)


def rows_of(text: str) -> list[tuple[str, str]]:
    """(database, fault) of each row of the matrix."""
    return [(found.group(1), found.group(2)) for found in ROW.finditer(text.partition("## The matrix")[2])]


def _cells(cell: Cell, routes: Iterable[str]) -> list[str]:
    seen = [_both(cell, route) for route in routes]
    noticed = "—" if cell.noticed_seconds is None else f"{cell.noticed_seconds:.1f}"
    return [f"`{cell.database}`", cell.fault, *seen, noticed, f"{cell.back_seconds:.1f}"]


def _both(cell: Cell, route: str) -> str:
    return f"{_one(cell.at_once[route], cell, route)} → {_one(cell.settled[route], cell, route)}"


def _one(answer: Answer, cell: Cell, route: str) -> str:
    other = answer.served_by and route in {"analytics", "topology"} and (route, answer.served_by) not in FIRST_CHOICES
    return f"{answer.status}, {answer.ms:.0f}" + (f" ⇢ {answer.served_by}" if other else "")


FIRST_CHOICES = {("analytics", "clickhouse"), ("topology", "arangodb")}


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    command = [sys.executable, "-m", "pytest", "tests/chaos/test_matrix.py", "-p", "no:xdist", "-k", "hardly"]
    sys.exit(subprocess.run(command, cwd=ROOT, env={**os.environ, TARGET_VARIABLE: str(DOCUMENT)}, check=False).returncode)
