"""A classified fault as the event that analytics keep."""

from datetime import datetime

from gateway.analytics.model import FaultEvent
from gateway.observability.context import current_request_id
from gateway.recovery.model import Fault


def fault_event(fault: Fault, at: datetime, *, route: str | None = None, tenant: str | None = None) -> FaultEvent:
    """What is written down of a fault: never its message; of a refused call, what opened its target's breaker.

    Args:
        route, tenant: of a fault that ended a request.
    """
    broken = fault.underlying
    return FaultEvent(
        at=at,
        fault_type=broken.type.value,
        category=broken.category.value,
        severity=broken.severity.value,
        source=broken.source,
        fingerprint=broken.fingerprint,
        retryable=fault.retryable,
        target=fault.target,
        vendor_code=broken.vendor_code,
        route=route,
        tenant=tenant,
        request_id=current_request_id(),
    )
