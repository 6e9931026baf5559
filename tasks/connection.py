"""How worker and beat come back to a broker that was away.

Source: kombu 5.7, `Connection.ensure_connection`: its wait grows by 2 s with every try, up to 30 s, and no setting of Celery's bounds it.
"""

from typing import Any

from celery.app.amqp import AMQP
from kombu.connection import Connection

RETRY_SECONDS = 2.0  # of each wait: one small connection attempt costs a broker nothing, and everything waits for it


class PromptConnection(Connection):
    """Tries again every `RETRY_SECONDS`, however long the broker has been away."""

    def ensure_connection(self, *args: Any, **kwargs: Any) -> Any:
        waits = {"interval_start": RETRY_SECONDS, "interval_step": 0, "interval_max": RETRY_SECONDS}
        return super().ensure_connection(*args, **{**waits, **kwargs})  # type: ignore[no-untyped-call]  # kombu ships no types


class PromptAMQP(AMQP):  # type: ignore[misc]  # Celery ships no types
    """Celery's own, over connections that come back promptly."""

    Connection = PromptConnection
