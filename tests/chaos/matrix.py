"""One cell of the matrix: a database, a fault, and what a client sees at its beginning, while it lasts, and after its end."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from embedded.processes import wait_until
from tests.chaos.deployment import CONFIG_KEY, FLOW, Answer, Deployment
from tests.chaos.engines import as_text
from tests.chaos.faults import Fault

GIVE_UP_SECONDS = 20.0  # for what should take five: a hang is found, a busy machine is not
ALWAYS = {"WEB_CONCURRENCY": "1", "CONFIG_FRESH_SECONDS": "0", "FLOWS_FRESH_SECONDS": "0"}
# Limits shorter than those of a deployment, so that the suite does not wait for them.
QUICK = {
    **ALWAYS,
    "POLL_INTERVAL_SECONDS": "0.5",
    "POLL_DOWN_INTERVAL_SECONDS": "0.25",
    "POLL_TIMEOUT_SECONDS": "1.6",
    "POSTGRES_STATEMENT_TIMEOUT_SECONDS": "2",
    "CLICKHOUSE_TIMEOUT_SECONDS": "1.5",
    "WEAVIATE_TIMEOUT_SECONDS": "1.5",
    "ARANGO_TIMEOUT_SECONDS": "1.5",
}
OWN, OTHER = "query it", "query another"


@dataclass(frozen=True)
class Cell:
    """What was seen. `at_once` and `settled` hold an answer for each route.

    Attributes:
        noticed_seconds: from the fault until the status route shows it; None for a fault that no ping meets.
        back_seconds: from the end of the fault until a query of it is answered and its role is its own again.
    """

    database: str
    fault: str
    at_once: Mapping[str, Answer]
    settled: Mapping[str, Answer]
    noticed_seconds: float | None
    back_seconds: float
    same_workers: bool


def run_cell(deployment: Deployment, database: str, fault: Fault) -> Cell:
    """Bring the fault about, look, look again when it was noticed, lift it, and wait until the database is used again."""
    if not wait_until(deployment.all_healthy, timeout_seconds=GIVE_UP_SECONDS):
        raise AssertionError(f"not healthy before the fault: {deployment.ask('GET', '/api/v1/status/databases').raw}")
    engine, workers = deployment.engines[database], deployment.workers()
    began = time.monotonic()
    fault.apply(engine)
    try:
        at_once = ask_all(deployment, database)
        shown = "unhealthy" if fault.down else "degraded" if fault.name == "full" and engine.tells else None
        noticed = _noticed(deployment, database, shown, began) if shown else None
        settled = ask_all(deployment, database)
    finally:
        lifted = time.monotonic()
        fault.lift(engine)
    back = wait_until(lambda: is_used(deployment, database), timeout_seconds=GIVE_UP_SECONDS)
    seconds = time.monotonic() - lifted if back else float("inf")
    return Cell(database, fault.name, at_once, settled, noticed, seconds, deployment.workers() == workers)


def ask_all(deployment: Deployment, database: str) -> dict[str, Answer]:
    """Every representative route, all at the same time."""
    other = "redis" if database == "postgres" else "postgres"
    now = datetime.now(UTC)
    since, until = ((now + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ") for seconds in (-600, 60))
    queries = {
        OWN: (database, as_text(deployment.engines[database].question)),
        OTHER: (other, as_text(deployment.engines[other].question)),
    }
    requests: dict[str, tuple[str, str, str | None]] = {
        "/health": ("GET", "/health", None),
        "/readyz": ("GET", "/readyz", None),
        "status": ("GET", "/api/v1/status/databases", None),
        "config": ("GET", f"/api/v1/config/{CONFIG_KEY}", None),
        "execute": ("POST", f"/api/v1/flows/{FLOW['id']}/execute", '{"parameters": {}}'),
        "analytics": ("GET", f"/api/v1/analytics/requests?since={since}&until={until}", None),
        "topology": ("GET", "/api/v1/topology", None),
        **{name: ("POST", f"/api/v1/databases/{asked}/query", body) for name, (asked, body) in queries.items()},
    }
    with ThreadPoolExecutor(len(requests)) as pool:
        waiting = {name: pool.submit(deployment.ask, *request) for name, request in requests.items()}
        return {name: answer.result() for name, answer in waiting.items()}


def is_used(deployment: Deployment, database: str) -> bool:
    """A query of it is answered, and its role is its own."""
    asked = deployment.ask("POST", f"/api/v1/databases/{database}/query", as_text(deployment.engines[database].question))
    return asked.status == 200 and deployment.state_of(database)["servedBy"] == database


def _noticed(deployment: Deployment, database: str, shown: str, began: float) -> float:
    seen = wait_until(lambda: deployment.state_of(database)["status"] == shown, timeout_seconds=GIVE_UP_SECONDS)
    return time.monotonic() - began if seen else float("inf")
