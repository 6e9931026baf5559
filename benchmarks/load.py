"""Callers that send at a steady rate over connections that they keep, and what they saw."""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    """What one caller sends again and again. `name` groups the samples; `keep`: the bodies of the answers are wanted."""

    name: str
    method: str
    path: str
    body: str | None = None
    keep: bool = False


@dataclass
class Samples:
    """Latencies in ms in the order of the answers, and how often each status came; 0 is a connection that broke. `kept` bodies."""

    ms: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    kept: list[bytes] = field(default_factory=list)

    def quantile(self, share: float) -> float:
        """In ms; 0 without samples."""
        ordered = sorted(self.ms)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0

    @property
    def shown(self) -> str:
        return f"p50 {self.quantile(0.5):.1f}, p99 {self.quantile(0.99):.1f}, max {max(self.ms, default=0.0):.0f} ms of {len(self.ms)}"


class Caller(threading.Thread):
    """Sends its requests in turn, `rate` of them a second in all; one that is late does not hurry afterwards."""

    def __init__(self, port: int, requests: Sequence[Request], rate: float, *, timeout_seconds: float = 30.0) -> None:
        super().__init__(daemon=True)
        self.samples: dict[str, Samples] = {request.name: Samples() for request in requests}
        self._port, self._requests, self._pause, self._timeout = port, requests, 1.0 / rate, timeout_seconds
        self._enough = threading.Event()

    def run(self) -> None:
        connection = Connection(self._port, self._timeout)
        due, number = time.perf_counter(), 0
        while not self._enough.wait(max(0.0, due - time.perf_counter())):
            request = self._requests[number % len(self._requests)]
            began = time.perf_counter()
            status, body = connection.send(request)
            samples = self.samples[request.name]
            samples.ms.append((time.perf_counter() - began) * 1000)
            samples.statuses[status] += 1
            samples.kept += [body] * request.keep
            due, number = max(due + self._pause, time.perf_counter()), number + 1
        connection.close()

    def finish(self) -> None:
        """Stop after the request under way."""
        self._enough.set()
        self.join(60)


class Connection:
    """One connection that is kept, and opened again after it broke."""

    def __init__(self, port: int, timeout_seconds: float = 30.0) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_seconds)

    def send(self, request: Request) -> tuple[int, bytes]:
        """Status and body; a status of 0 when the connection broke."""
        headers = {"Content-Type": "application/json"} if request.body is not None else {}
        try:
            self._connection.request(request.method, request.path, request.body, headers)
            answer = self._connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return 0, b""
        return answer.status, body

    def close(self) -> None:
        """End it."""
        self._connection.close()


def run_for(seconds: float, callers: Sequence[Caller]) -> Mapping[str, Samples]:
    """Let the callers call for so long; their samples by name."""
    for caller in callers:
        caller.start()
    time.sleep(seconds)
    for caller in callers:
        caller.finish()
    return merged(callers)


def merged(callers: Sequence[Caller]) -> dict[str, Samples]:
    """The samples of all, by name."""
    names = dict.fromkeys(name for caller in callers for name in caller.samples)
    return {name: together(*(caller.samples[name] for caller in callers if name in caller.samples)) for name in names}


def together(*parts: Samples) -> Samples:
    """All of them as one."""
    whole = Samples()
    for part in parts:
        whole.ms += part.ms
        whole.statuses += part.statuses
        whole.kept += part.kept
    return whole
