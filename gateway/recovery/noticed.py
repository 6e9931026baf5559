"""Faults that no call raised: somebody watched the target and saw them."""

from gateway.databases.model import StatusError
from gateway.recovery.fingerprint import fingerprint, mask
from gateway.recovery.model import Fault, FaultType
from gateway.targets import DATABASE, kind_of, name_of


def noticed(kind: FaultType, target: str, detail: str, *, error_class: str = "", vendor_code: str | None = None) -> Fault:
    """A fault of this target like any other.

    Args:
        detail: one sentence for a client.
    """
    source = name_of(target) if kind_of(target) == DATABASE else "http"
    template = mask(detail)
    return Fault(
        type=kind,
        retryable=True,
        source=source,
        confidence=1.0,
        fingerprint=fingerprint(fault_type=kind, source=source, vendor_code=vendor_code, frames=(), template=template),
        error_class=error_class,
        detail=detail,
        template=template,
        vendor_code=vendor_code,
        target=target,
    )


def too_slow(target: str) -> Fault:
    """That its calls end well, and too late."""
    return noticed(FaultType.TIMEOUT, target, "It answers too slowly")


def unwell(target: str, error: StatusError | None) -> Fault:
    """What a look at a database met."""
    seen = error or StatusError("", "", "It does not answer")
    return noticed(FaultType.DATABASE_CONNECTION, target, seen.detail, error_class=seen.kind, vendor_code=seen.vendor_code)
