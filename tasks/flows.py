"""Doorbells of flow definitions."""

from gateway.outbox.model import TaskName
from tasks.app import app
from tasks.base import GatewayTask


@app.task(bind=True, name=TaskName.UPLOAD_FLOW.value)
def upload_flow(self: GatewayTask, flow_id: str) -> None:
    """Upload a flow that was accepted while the registry was down. Ringing twice is harmless: an uploaded one is left alone."""
    self.container.flows.upload(flow_id)
