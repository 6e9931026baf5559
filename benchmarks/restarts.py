"""PostgreSQL is restarted again and again under load. Is an execution lost, or a recovery left running for ever?

    python -m benchmarks restarts

A gateway as gunicorn runs it (two workers), a Celery worker and beat. PostgreSQL is up for four seconds at a time and ends by SIGKILL and
by a fast shutdown in turn, under reads, started executions, and faults that are left to a recovery flow. Then the load ends, everything
is up, and what is open has to end. RESTART_SECONDS is how long it goes on (180).
"""

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.load import Samples, merged
from benchmarks.mixed import DOWN, Rates, callers, furnish, lift, promises_of
from benchmarks.promises import Promises, rows_of
from embedded.postgres import EmbeddedPostgres
from embedded.processes import wait_until
from tests.chaos.deployment import Deployment, own_postgres, running_deployment
from tests.fakes.celery_process import celery_beat, celery_worker

SECONDS = float(os.environ.get("RESTART_SECONDS", "180"))
UP_SECONDS, SETTLE_SECONDS = 4.0, 180.0
RATES = Rates(reads=40.0, executions=5.0, faults=2.0)
OPEN = "SELECT count(*) FROM recoveries WHERE status IN ('pending', 'running')"
ALL = "SELECT status, count(*) FROM {} GROUP BY status ORDER BY status"


def main(_words: Sequence[str]) -> None:
    """Everything up, then the restarts, then the peace after them."""
    print(f"\nPostgreSQL restarted every {UP_SECONDS:.0f} s for {SECONDS:.0f} s under {RATES.total:.0f} requests a second")
    only = ("postgres", "dragonflydb", *DOWN)
    with (
        tempfile.TemporaryDirectory() as name,
        own_postgres(Path(name)) as postgres,
        running_deployment(Path(name) / "deployment", postgres, only=only, direct=only[:2], LOG_FORMAT="json") as deployment,
        celery_beat(deployment.environment, Path(name)),
        celery_worker(deployment.environment, Path(name)),
    ):
        furnish(deployment)
        sending = callers(deployment, RATES)
        for caller in sending:
            caller.start()
        restarts = restart_for(SECONDS, postgres)
        for caller in sending:
            caller.finish()
        lift(deployment)
        report(deployment, restarts, merged(sending))


def restart_for(seconds: float, postgres: EmbeddedPostgres) -> int:
    """How often it was restarted."""
    began, restarts = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        time.sleep(UP_SECONDS)
        if restarts % 2:
            postgres.stop()
        else:
            postgres.kill()
        postgres.start()
        restarts += 1
    return restarts


def report(deployment: Deployment, restarts: int, seen: Mapping[str, Samples]) -> None:
    """What clients saw, what they were promised, and what became of everything that was ever written down."""
    url, promised, began = deployment.environment["DATABASE_URL"], promises_of(seen), time.monotonic()
    print(f"  restarts {restarts}")
    for name, samples in seen.items():
        print(f"    {name:10} {samples.shown}, statuses {dict(samples.statuses)}")
    ended = wait_until(lambda: is_quiet(url, promised), timeout_seconds=SETTLE_SECONDS)
    executions, recoveries = promised.standing(url)
    ((left,),) = rows_of(url, OPEN)
    print(f"  {time.monotonic() - began:.1f} s after the load:")
    print(f"    promised: {executions.total()} executions {dict(executions)}, {recoveries.total()} recoveries {dict(recoveries)}")
    for table in ("executions", "recoveries"):
        print(f"    all rows of {table}: {dict(rows_of(url, ALL.format(table)))}")
    print(f"  [recoveries left open: {left}; no execution lost and everything ended: {'yes' if ended else 'NO'}]")


def is_quiet(url: str, promised: Promises) -> bool:
    """Whether every promise was kept, and no recovery is open."""
    return promised.kept(url) and rows_of(url, OPEN) == [(0,)]
