"""Doorbells that beat rings."""

from gateway.outbox.model import TaskName
from tasks.app import app
from tasks.base import GatewayTask


@app.task(bind=True, name=TaskName.SWEEP.value, routine=True)
def sweep(self: GatewayTask) -> None:
    """Ring again for what nobody heard. Harmless at any time, and many at once."""
    self.container.executions.sweep()


@app.task(bind=True, name=TaskName.HEARTBEAT.value, routine=True)
def heartbeat(self: GatewayTask) -> None:
    """Be consumed: the base class writes down that this queue has a consumer."""
    self.container.worker_health.consumed(str(self.request.hostname), str(self.request.delivery_info["routing_key"]))


@app.task(bind=True, name=TaskName.REFRESH_TOPOLOGY.value, routine=True)
def refresh_topology(self: GatewayTask) -> None:
    """Learn anew who depends on whom. Harmless at any time."""
    self.container.topology_feeder.refresh()


@app.task(bind=True, name=TaskName.ECHO.value, routine=True)
def echo(self: GatewayTask) -> None:
    """Be received: each worker rings itself, and its watchdog hears whether it still consumes."""
    self.container.worker_health.consumed(str(self.request.hostname), str(self.request.delivery_info["routing_key"]))
