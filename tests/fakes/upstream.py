"""Other services, without a network."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.configuration.errors import ServiceNotFound
from gateway.configuration.model import Instance, Known, Service, Source
from gateway.outbound.answer import Answer
from gateway.outbound.client import MAX_ANSWER_BYTES


def json_answer(value: Any, status: int = 200, **headers: str) -> Answer:
    """An answer with a JSON body."""
    lower = {name.lower().replace("_", "-"): text for name, text in headers.items()}
    return Answer(status, {"content-type": "application/json", **lower}, json.dumps(value).encode())


@dataclass(frozen=True)
class Sent:
    """One request as it was asked for."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    timeout_seconds: float


@dataclass
class FakeHttp:
    """Answers what it was given, one after the other, the last one for ever. An exception among them is raised."""

    answers: list[Answer | Exception] = field(default_factory=lambda: [json_answer({})])
    sent: list[Sent] = field(default_factory=list)

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        body: bytes | None = None,
        timeout_seconds: float,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> Answer:
        self.sent.append(Sent(method, url, dict(headers or {}), body, timeout_seconds))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class FakeDirectory:
    """Knows services by name; a capability is served by the first whose instance holds it."""

    services: dict[str, Service] = field(default_factory=dict)

    def add(self, name: str, port: int, *capabilities: str, **metadata: Any) -> None:
        self.services[name] = Service(name, "healthy", (Instance("127.0.0.1", port, capabilities=capabilities, metadata=metadata),))

    def discover(self, name: str) -> Known[Service]:
        if name not in self.services:
            raise ServiceNotFound(f"No healthy instance of {name} is registered")
        return Known(self.services[name], 0.0, stale=False, source=Source.SERVICE)

    def find_capable(self, capability: str) -> Service | None:
        return next((each for each in self.services.values() if capability in each.instances[0].capabilities), None)

    def choose_instance(self, service: Service) -> Instance:
        return service.instances[0]

    def rediscover(self, name: str) -> Service:
        return self.discover(name).value
