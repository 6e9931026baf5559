"""Starts the parts in order, restarts what dies, stops all of it in reverse order."""

import http.client
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

from embedded.child import Child, Part
from embedded.errors import EmbeddedError
from embedded.plan import ROOT, Plan
from embedded.processes import kill_group, wait_until
from embedded.terminal import Tail, event

READY_SECONDS = 60.0
ERROR_LINE = re.compile(r"^(\w+\.)*\w*(Error|Exit|Exception)\b.*: .+|: not set;|FATAL")
WORKER_READY, WORKER_READY_SECONDS = " ready.", 5.0  # what Celery's worker says; flows wait for it, the gateway does not
TICK_SECONDS = 0.2
LONGEST_BACKOFF_SECONDS = 15.0
STABLE_SECONDS = 30.0
STOP_SECONDS = 9.5  # everything, so that Ctrl-C ends within 10 s
PROCESSES_STOP_SECONDS = 6.5
ENGINE_STOP_SECONDS = 1.5


@dataclass
class Watched:
    """A part, its log, and how often it died lately."""

    part: Part
    tail: Tail
    deaths: int = 0
    started_at: float = 0.0
    next_try_at: float | None = None


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
        tail = Tail(part.name, part.log)
        part.start()
        self._watched.append(Watched(part, tail, started_at=time.monotonic()))

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
            self._revive(watched, time.monotonic())

    def _revive(self, watched: Watched, now: float) -> None:
        """Restart a part that ended: at once the first time, then with growing pauses; same port, same data."""
        if watched.part.is_running:
            if watched.deaths and now - watched.started_at > STABLE_SECONDS:
                watched.deaths = 0
            return
        if watched.next_try_at is None:
            pause_seconds = min(LONGEST_BACKOFF_SECONDS, 2.0 ** (watched.deaths - 1)) if watched.deaths else 0.0
            watched.deaths, watched.next_try_at = watched.deaths + 1, now + pause_seconds
            event(f"{watched.part.name} {_how_it_ended(watched.part)}; starting it again in {pause_seconds:.0f} s")
        if now >= watched.next_try_at:
            self._restart(watched)

    def _restart(self, watched: Watched) -> None:
        watched.next_try_at = None
        if isinstance(watched.part, Child) and watched.part.process is not None:
            kill_group(watched.part.process)  # what it left of its own children must not stand in the way
        try:
            watched.part.start()
        except (EmbeddedError, OSError) as error:  # a full disk passes; the next try comes after a longer pause
            event(f"{watched.part.name} could not be started: {error}")
            return
        watched.started_at = time.monotonic()
        event(f"{watched.part.name} runs again (pid {watched.part.process.pid if watched.part.process else '?'})")

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


def _how_it_ended(part: Part) -> str:
    code = part.process.returncode if part.process is not None else None
    if code is None:
        return "does not run"
    return f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
