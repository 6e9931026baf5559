"""A recovery flow whose one node calls a service, and the web process's part of recovering: what real workers then carry out."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from config.settings import Settings
from gateway.container import Container, build_container
from gateway.recovery.ledger.flows import FlowRefresher
from tests.fakes.executions import flow_document
from tests.fakes.recoveries import FakeRegistry

HEAL: dict[str, Any] = {
    **flow_document(
        {"fetch": {"type": "service", "config": {"service": "prices", "path": "/today", "timeoutMs": 60000}}},
        parameters=[{"name": "target", "type": "string", "required": True}],
        tags=["recovery:UPSTREAM_ERROR"],
    ),
    "id": "heal",
}


@contextmanager
def recovering_container(environment: Mapping[str, str]) -> Iterator[Container]:
    """Knows HEAL, opens recoveries and relays their messages."""
    container = build_container(Settings.from_environment(environment))
    FlowRefresher(container.outbox, FakeRegistry([{**HEAL, "status": "active"}])).refresh()
    container.recoveries.step()
    container.relay.start()
    container.recoveries.start(watching=False)
    try:
        yield container
    finally:
        container.stop()
