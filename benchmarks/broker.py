"""The broker is killed under load. Does anybody notice, and is everything done after its return?

    python -m benchmarks broker

A gateway as gunicorn runs it (two workers), a Celery worker and beat, with a redis-server of their own as broker, cache and limiter.
200 requests a second: reads, ten started executions, and four that fail because the other databases are down, each left to a recovery
flow. The same before, while the broker is dead, and after its return. BROKER_SECONDS is the length of the outage (120).
"""

import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.load import Samples, merged, run_for, together
from benchmarks.mixed import DOWN, Rates, callers, furnish, promises_of
from benchmarks.promises import Promises, waiting
from embedded.processes import wait_until
from embedded.redis import EmbeddedRedis
from tests.chaos.deployment import Deployment, own_postgres, running_deployment
from tests.fakes.celery_process import celery_beat, celery_worker

SECONDS = float(os.environ.get("BROKER_SECONDS", "120"))
BEFORE_SECONDS, AFTER_SECONDS, SETTLE_SECONDS = min(60.0, SECONDS), min(30.0, SECONDS), 300.0
ADDED_P99_MS = 50.0
RATES = Rates(reads=186.0, executions=10.0, faults=4.0)


def main(_words: Sequence[str]) -> None:
    """Everything up, then the three times."""
    print(f"\nBroker killed for {SECONDS:.0f} s under {RATES.total:.0f} requests a second")
    with tempfile.TemporaryDirectory() as name, own_postgres(Path(name)) as postgres:
        directory, broker = Path(name), EmbeddedRedis(Path(name) / "broker")
        broker.start()
        try:
            variables = {"WEB_CONCURRENCY": "2", "DRAGONFLY_URL": broker.url, "LOG_FORMAT": "json"}
            with (
                running_deployment(
                    directory / "deployment", postgres, only=("postgres", *DOWN), direct={"postgres"}, **variables
                ) as deployment,
                celery_beat(deployment.environment, directory),
                celery_worker(deployment.environment, directory),
            ):
                furnish(deployment)
                measure(deployment, broker)
        finally:
            broker.remove()


def measure(deployment: Deployment, broker: EmbeddedRedis) -> None:
    """Before, during, after; then wait for what was promised."""
    run_for(min(5.0, SECONDS), callers(deployment, RATES))  # what is loaded at first use is loaded by now
    before = phase(deployment, BEFORE_SECONDS, lambda: None)
    during = phase(deployment, SECONDS, broker.kill)
    url = deployment.environment["DATABASE_URL"]
    print(f"  waiting in the outbox when the broker returns: {waiting(url)}")
    promised, back = promises_of(before, during), time.monotonic()
    after = phase(deployment, AFTER_SECONDS, lambda: _return(broker, url, promised, back))
    report(before, during, after)
    settle(url, promises_of(before, during, after))


def phase(deployment: Deployment, seconds: float, act: Callable[[], object]) -> Mapping[str, Samples]:
    """Callers for so long after `act`, which happens under their load."""
    sending = callers(deployment, RATES)
    for caller in sending:
        caller.start()
    time.sleep(0.5)
    began = time.monotonic()
    act()
    time.sleep(max(0.0, began + seconds - time.monotonic()))
    for caller in sending:
        caller.finish()
    return merged(sending)


def _return(broker: EmbeddedRedis, url: str, promised: Promises, back: float) -> None:
    broker.start()
    kept = wait_until(lambda: promised.kept(url), timeout_seconds=SETTLE_SECONDS)
    print(f"  promised before its return and done {time.monotonic() - back:.1f} s after it: {_verdict(kept)}")


def report(before: Mapping[str, Samples], during: Mapping[str, Samples], after: Mapping[str, Samples]) -> None:
    """What clients saw. Faults have to be 503: their databases are down."""
    for name in before:
        for word, samples in (("before", before[name]), ("during", during[name]), ("after", after[name])):
            print(f"    {name:10} {word:6} {samples.shown}, statuses {dict(samples.statuses)}")
    old, new = (together(*samples.values()).quantile(0.99) for samples in (before, during))
    failed = sum(failures(samples) for samples in (during, after))
    print(f"  [5xx because of it: {failed}: {_verdict(failed == 0)}]")
    added = new - old
    print(f"  [p99 {old:.1f} before, {new:.1f} ms during, {added:.1f} more, ≤ {ADDED_P99_MS:.0f}: {_verdict(added <= ADDED_P99_MS)}]")


def failures(phase_samples: Mapping[str, Samples]) -> int:
    """Answers that a living broker would not have made worse: 5xx and broken connections, the faults' own 503 aside."""
    return sum(
        count
        for name, samples in phase_samples.items()
        for status, count in samples.statuses.items()
        if (status == 0 or status >= 500) and not (name == "faults" and status == 503)
    )


def settle(url: str, promised: Promises) -> None:
    """Wait for what was promised in the end."""
    began = time.monotonic()
    kept = wait_until(lambda: promised.kept(url), timeout_seconds=SETTLE_SECONDS)
    executions, recoveries = promised.standing(url)
    print(f"  all done {time.monotonic() - began:.1f} s after the load: executions {dict(executions)}, recoveries {dict(recoveries)}")
    print(f"  [every execution completed, every intent carried out, outbox empty: {_verdict(kept)}]")


def _verdict(holds: bool) -> str:
    return "yes" if holds else "NO"
