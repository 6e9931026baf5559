"""Starts the parts in order, restarts what dies, stops all of it in reverse order."""

import http.client
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping

from embedded.child import Child, Part
from embedded.errors import EmbeddedError
from embedded.plan import ROOT, Plan
from embedded.processes import wait_until
from embedded.terminal import Tail, event
from embedded.watched import Watched

READY_SECONDS = 60.0
ERROR_LINE = re.compile(r"^(\w+\.)*\w*(Error|Exit|Exception)\b.*: .+|: not set;|FATAL")
WORKER_READY, WORKER_READY_SECONDS = " ready.", 5.0  # what Celery's worker says; flows wait for it, the gateway does not
TICK_SECONDS = 0.2
STOP_SECONDS = 9.5  # everything, so that Ctrl-C ends within 10 s
PROCESSES_STOP_SECONDS = 6.5
ENGINE_STOP_SECONDS = 1.5


class Supervisor:
    """Runs a plan. One thread: nothing here waits for long while something else needs care."""

    def __init__(self, plan: Plan, inherited: Mapping[str, str]) -> None:
        self._plan = plan
        self._inherited = inherited
        self._engines = list(plan.engines.values())
        self._processes: list[Child] = []
        self._watched: list[Watched] = []

    @property
    def parts(self) -> list[Part]:
        """What runs, in the order of its start."""
        return [watched.part for watched in self._watched]

    def start(self) -> None:
        """Start everything and wait until the gateway is ready.

        Raises:
            EmbeddedError: one line that says what stands in the way. What was started stays for `stop()`.
        """
        self._plan.require_free_ports()
        for server in self._engines:
            self._watch(server)
        environment = self._plan.environment(self._inherited)
        self._migrate(environment)
        self._processes = self._plan.processes(environment)
        for child in self._processes:
            self._watch(child)
        self._wait_until_ready()

    def _watch(self, part: Part) -> None:
        watched = Watched(part, Tail(part.name, part.log))
        part.start()
        watched.started_at = time.monotonic()
        self._watched.append(watched)

    def _migrate(self, environment: Mapping[str, str]) -> None:
        command = [sys.executable, "-m", "alembic", "upgrade", "head"]
        log = self._plan.run_directory / "migrations.log"
        with log.open("ab") as output:
            done = subprocess.run(command, cwd=ROOT, env=environment, stdout=output, stderr=output, check=False)
        if done.returncode:
            raise EmbeddedError(f"the database could not be migrated: {_cause(log.read_text(errors='replace'))} (log: {log})")

    def _wait_until_ready(self) -> None:
        """Until /readyz says so. A process that ends twice before that will not get better by itself."""
        deadline = time.monotonic() + READY_SECONDS
        while not is_ready(f"{self._plan.gateway_url}/readyz"):
            for watched in self._watched:
                if watched.deaths >= 1 and not watched.part.is_running:
                    raise EmbeddedError(f"{watched.part.name} does not start:\n  " + "\n  ".join(watched.tail.last_lines(8)))
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"the gateway was not ready within {READY_SECONDS:.0f} s; its log is {self._plan.run_directory / 'gateway.log'}"
                )
            self._care(show=False)
            time.sleep(TICK_SECONDS / 2)
        worker = next(watched.tail for watched in self._watched if watched.part.name == "worker")
        wait_until(lambda: any(WORKER_READY in line for line in worker.last_lines(50)), timeout_seconds=WORKER_READY_SECONDS)
        for watched in self._watched:
            watched.tail.skip()  # the screen stands alone; how they started is in the files

    def run(self) -> None:
        """Show the logs and restart what dies, until interrupted."""
        while True:
            self._care(show=True)
            time.sleep(TICK_SECONDS)

    def _care(self, *, show: bool) -> None:
        for watched in self._watched:
            if show:
                watched.tail.show()
            watched.revive(time.monotonic())

    def stop(self) -> None:
        """Stop everything within STOP_SECONDS: our processes all at once, then the engines. Nothing of theirs is left."""
        processes_until = time.monotonic() + PROCESSES_STOP_SECONDS
        children = list(reversed(self._processes))
        for child in children:
            child.ask_to_stop()
        wait_until(lambda: not any(child.is_running for child in children), timeout_seconds=PROCESSES_STOP_SECONDS)
        for child in children:
            if child.is_running:
                event(f"{child.name} did not stop in time and is killed")
            child.stop(max(0.0, processes_until - time.monotonic()))
        for server in reversed(self._engines):
            server.stop(ENGINE_STOP_SECONDS)


def is_ready(url: str) -> bool:
    """Whether a GET answers 200 within two seconds."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy of the caller's does not lead to loopback
    try:
        with opener.open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, http.client.HTTPException, OSError):
        return False


def _cause(output: str) -> str:
    """The line of a traceback that says why: the last one that names an error, not SQLAlchemy's link below it."""
    lines = output.strip().splitlines() or ["it said nothing"]
    return next((line.strip() for line in reversed(lines) if ERROR_LINE.search(line)), lines[-1])
