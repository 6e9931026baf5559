"""A process of its own that shares its breakers over a real server, and does what a test tells it."""

import multiprocessing
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

from config.databases import DragonflySettings
from gateway.clock import SystemClock
from gateway.databases.dragonflydb import DragonflyDB
from gateway.recovery.breaker import BreakerOpen, BreakerPolicy
from gateway.recovery.dragonfly import DragonflyBreakerStore
from gateway.recovery.registry import Breakers
from gateway.recovery.sharing import BreakerSharing

TARGET = "service:prices"
POLICY = BreakerPolicy(minimum_calls=3, open_seconds=1.0, open_seconds_cap=1.0, jitter=0.0)


class BreakerProcess:
    """The test's end of it."""

    def __init__(self, redis_url: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(redis_url, theirs), daemon=True)
        self._process.start()
        assert self.ask("ready") is True

    def ask(self, what: str, *arguments: Any) -> Any:
        self._pipe.send((what, arguments))
        return self._pipe.recv()

    def end(self) -> None:
        self.ask("end")
        self._process.join(10)
        self._pipe.close()


class Inside:
    """Its other end."""

    def __init__(self, redis_url: str) -> None:
        self.breakers = Breakers(SystemClock(), POLICY)
        self.database = DragonflyDB(DragonflySettings.read({"DRAGONFLY_URL": redis_url, "DRAGONFLY_TIMEOUT_SECONDS": "0.5"}))
        self.sharing = BreakerSharing(self.breakers, DragonflyBreakerStore(self.database.unguarded_commands), SystemClock())
        self.sharing.start()

    def ready(self) -> bool:
        return True

    def state(self) -> str:
        return self.breakers.of(TARGET).state().value

    def shared(self) -> bool:
        return self.sharing.connected

    def fail(self, times: int) -> None:
        breaker = self.breakers.of(TARGET)
        for _ in range(times):
            breaker.record(breaker.permit(), success=False, duration_seconds=0.01)

    def act(self, name: str) -> None:
        getattr(self.breakers.of(TARGET), name)()

    def hammer(self, threads: int, seconds: float, probe_seconds: float) -> int:
        """Call from many threads for a while, each call taking `probe_seconds` and failing; how many were let through."""
        through: list[float] = []
        until = time.monotonic() + seconds

        def run() -> None:
            while time.monotonic() < until:
                try:
                    with self.breakers.of(TARGET).guard():
                        through.append(time.monotonic())
                        time.sleep(probe_seconds)
                except BreakerOpen:
                    time.sleep(0.002)

        workers = [threading.Thread(target=run) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return len(through)

    def end(self) -> None:
        self.sharing.stop()
        self.database.close()


def serve(redis_url: str, pipe: Connection) -> None:
    """What runs in the process."""
    inside, what = Inside(redis_url), ""
    while what != "end":
        what, arguments = pipe.recv()
        pipe.send(getattr(inside, what)(*arguments))
