"""Doorbells of executions."""

from gateway.outbox.model import TaskName
from tasks.app import app
from tasks.base import GatewayTask


@app.task(bind=True, name=TaskName.RUN_NODE.value)
def run_node(self: GatewayTask, execution_id: str, node_id: str) -> None:
    """Run one node. Ringing twice is harmless: the lease admits one runner."""
    self.container.executions.run_node(execution_id, node_id)


@app.task(bind=True, name=TaskName.REPORT.value)
def report(self: GatewayTask, execution_id: str) -> None:
    """Tell the Flow Registry about an execution. Ringing twice is harmless: the rows say what it knows."""
    self.container.executions.report(execution_id)
