"""A load of cheap reads, started executions, and faults that are left to a recovery flow: what it needs, and its callers."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.load import Caller, Request, Samples
from benchmarks.promises import Promises, promises_in, rows_of
from embedded.processes import wait_until
from gateway.recovery.ledger.service import LEARN_SECONDS
from tests.chaos.deployment import CONFIG_KEY, FLOW, Deployment
from tests.chaos.engines import Engine, as_text

HEAL = {**FLOW, "id": "chaos-heal", "name": "Heal", "tags": ["recovery:DATABASE_CONNECTION_ERROR"]}
DOWN = ("clickhouse", "weaviate", "arangodb", "redis")
READERS = 10


@dataclass(frozen=True)
class Rates:
    """Requests a second."""

    reads: float
    executions: float
    faults: float

    @property
    def total(self) -> float:
        return self.reads + self.executions + self.faults


def furnish(deployment: Deployment) -> None:
    """The recovery flow, known to every process; then its databases go down."""
    answer = deployment.ask("POST", "/api/v1/flows", json.dumps({key: value for key, value in HEAL.items() if key != "status"}))
    if answer.status != 201:
        raise AssertionError(f"the recovery flow was refused: {answer.raw}")
    url = deployment.environment["DATABASE_URL"]
    if not wait_until(lambda: bool(rows_of(url, "SELECT flow_id FROM recovery_flows")), timeout_seconds=60):
        raise AssertionError("the recovery flow was not learned")
    time.sleep(2 * LEARN_SECONDS)  # until every process has read it
    for engine in failing(deployment):
        for proxy in engine.proxies:
            proxy.refuse()


def failing(deployment: Deployment) -> list[Engine]:
    """The databases that are down all the time."""
    return [engine for name, engine in deployment.engines.items() if name in DOWN]


def lift(deployment: Deployment) -> None:
    """They are there again."""
    for engine in failing(deployment):
        for proxy in engine.proxies:
            proxy.accept_again()


def callers(deployment: Deployment, rates: Rates) -> list[Caller]:
    """Reads spread over ten callers, executions over two; faults are asked of one database after the other."""
    paths = (f"/api/v1/config/{CONFIG_KEY}", f"/api/v1/flows/{FLOW['id']}", "/api/v1/status/databases", "/api")
    reads = [Request("reads", "GET", path) for path in paths]
    execute = Request("executions", "POST", f"/api/v1/flows/{FLOW['id']}/execute", '{"parameters": {}}', keep=True)
    faults = [
        Request("faults", "POST", f"/api/v1/databases/{engine.name}/query", as_text(engine.question), keep=True)
        for engine in failing(deployment)
    ]
    return [
        *(Caller(deployment.port, reads[turn % 4 :] + reads[: turn % 4], rates.reads / READERS) for turn in range(READERS)),
        *(Caller(deployment.port, [execute], rates.executions / 2) for _ in range(2)),
        Caller(deployment.port, faults, rates.faults),
    ]


def promises_of(*phases: Mapping[str, Samples]) -> Promises:
    """What these phases' answers promised."""
    return promises_in(body for samples in phases for each in samples.values() for body in each.kept)
