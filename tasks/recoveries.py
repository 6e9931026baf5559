"""Doorbells of recoveries."""

from gateway.outbox.model import TaskName
from tasks.app import app
from tasks.base import GatewayTask


@app.task(bind=True, name=TaskName.RUN_RECOVERY.value)
def run_recovery(self: GatewayTask, recovery_id: str) -> None:
    """Try to recover once. Ringing twice is harmless: the lease admits one runner."""
    self.container.recoveries.run(recovery_id)


@app.task(bind=True, name=TaskName.SWEEP_RECOVERIES.value, routine=True)
def sweep_recoveries(self: GatewayTask) -> None:
    """Ring again for recoveries that nobody heard of, and end those that took too long. Harmless at any time."""
    self.container.recoveries.sweep()


@app.task(bind=True, name=TaskName.REFRESH_RECOVERY_FLOWS.value, routine=True)
def refresh_recovery_flows(self: GatewayTask) -> None:
    """Ask the registry which flows heal which faults. Harmless at any time."""
    self.container.recoveries.refresh_flows()
