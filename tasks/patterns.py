"""Doorbells of learned patterns."""

from gateway.outbox.model import TaskName
from tasks.app import app
from tasks.base import GatewayTask


@app.task(bind=True, name=TaskName.UPLOAD_PATTERNS.value)
def upload_patterns(self: GatewayTask) -> None:
    """Upload the patterns that changed to the Flow Registry. Harmless at any time, and many at once: each is leased to one uploader."""
    self.container.pattern_uploads.upload()
