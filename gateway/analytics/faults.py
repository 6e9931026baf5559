"""A classified fault as the event that analytics keep."""

from datetime import datetime

from gateway.analytics.model import FaultEvent
from gateway.observability.context import current_request_id
from gateway.recovery.model import Fault


def fault_event(fault: Fault, at: datetime, *, route: str | None = None, tenant: str | None = None) -> FaultEvent:
    """What is written down of a fault: never its message. `route` and `tenant` of a fault that ended a request."""
    return FaultEvent(
        at=at,
        fault_type=fault.type.value,
        category=fault.category.value,
        severity=fault.severity.value,
        source=fault.source,
        fingerprint=fault.fingerprint,
        retryable=fault.retryable,
        target=fault.target,
        vendor_code=fault.vendor_code,
        route=route,
        tenant=tenant,
        request_id=current_request_id(),
    )
