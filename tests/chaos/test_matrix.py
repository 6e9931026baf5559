"""Six databases by six faults, over a gateway as it is deployed: what a client sees. Times are recorded, not judged."""

import json
import re

import pytest

from tests.chaos.deployment import Answer, Deployment
from tests.chaos.engines import NEEDS_CLICKHOUSE, OTHER_PASSWORD, ROLE
from tests.chaos.faults import FAULTS
from tests.chaos.matrix import OWN, Cell, run_cell
from tests.chaos.report import DOCUMENT, rows_of

DATABASES = ("postgres", "dragonflydb", "clickhouse", "weaviate", "arangodb", "redis")
FALLBACKS = {"clickhouse": ("analytics", "postgres"), "arangodb": ("topology", "postgres")}
DRIVER_TEXT = re.compile(
    rf"psycopg2|sqlalchemy|clickhouse_driver|Traceback|redis\.exceptions|httpx|grpcio|urllib3|Errno|{ROLE}|{OTHER_PASSWORD}|"
    r"password authentication|WRONGPASS|NOAUTH|OOM command|SELECT 1|errorNum|no space left",
    re.IGNORECASE,
)


# One fault after the other over all databases: a breaker takes a fault right after another of the same database for a relapse.
@pytest.fixture(params=[(name, fault) for fault in FAULTS for name in DATABASES], ids=lambda pair: f"{pair[0]}-{pair[1].replace(' ', '-')}")
def cell(request: pytest.FixtureRequest, chaos_deployment: Deployment, chaos_cells: list[Cell]) -> Cell:
    """One database under one fault."""
    database, fault = request.param
    if database not in chaos_deployment.engines:
        pytest.skip(NEEDS_CLICKHOUSE)
    seen = run_cell(chaos_deployment, database, FAULTS[fault])
    chaos_cells.append(seen)
    return seen


def test_clients_hardly_notice(cell: Cell) -> None:
    problems = [
        f"{when} {route}: {problem}"
        for when, answers in (("at once", cell.at_once), ("settled", cell.settled))
        for route, answer in answers.items()
        for problem in _problems(cell, route, answer, settled=when == "settled")
    ]
    assert problems == []
    assert cell.noticed_seconds != float("inf"), "the poller never noticed"
    assert cell.back_seconds != float("inf"), "it was never used again"
    assert cell.same_workers, "a worker process was replaced"


def test_the_document_shows_every_cell() -> None:
    shown = rows_of(DOCUMENT.read_text())
    assert shown == [(database, fault) for database in DATABASES for fault in FAULTS], "python -m tests.chaos.report writes it anew"


def _problems(cell: Cell, route: str, answer: Answer, *, settled: bool) -> list[str]:
    """What is wrong with an answer."""
    found = []
    expected = _expected(cell, route, settled=settled)
    if answer.status not in expected:
        found.append(f"{answer.status} in place of {expected}: {answer.raw[:300]}")
    if answer.status in {429, 503} and int(answer.headers.get("retry-after", 0)) < 1:
        found.append(f"{answer.status} without Retry-After")
    if answer.status >= 400 and answer.headers.get("content-type") != "application/problem+json":
        found.append(f"a problem of type {answer.headers.get('content-type')}")
    if leaked := DRIVER_TEXT.search(json.dumps(answer.body) if answer.status >= 400 or route in {"/health", "status"} else ""):
        found.append(f"driver text {leaked.group()!r} in {answer.raw[:300]}")
    if settled and FAULTS[cell.fault].down and FALLBACKS.get(cell.database, ("",))[0] == route:
        fallback = FALLBACKS[cell.database][1]
        if answer.served_by != fallback:
            found.append(f"served by {answer.served_by} in place of {fallback}")
    return found


def _expected(cell: Cell, route: str, *, settled: bool) -> set[int]:
    """The statuses that a client may see."""
    down = FAULTS[cell.fault].down
    if route == OWN:
        dropped = cell.fault == "full" and not settled  # its connections were closed: a call over one of them may fail
        return {503, 504} if down else {200, 503} if dropped else {200}
    if cell.database == "postgres" and route in {"/health", "/readyz"} and down:
        return {503} if settled else {200, 503}
    if cell.database == "postgres" and route == "execute" and cell.fault != "slow":
        return {503, 504}
    return {202} if route == "execute" else {200}
