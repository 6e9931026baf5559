"""What can go wrong with a call to another service. No exception of the HTTP library leaves `gateway/outbound/`.

Unavailable      ── UpstreamUnreachable   no connection, or it broke; `sent` says whether the request may have arrived
UpstreamTimeout  ── CallTimedOut          the whole call took longer than it may; `sent` as above
UpstreamInvalid                           the answer is unusable: not HTTP, too large, broken encoding, not JSON
InvalidInput     ── RequestInvalid        what we were asked to send is no HTTP request (address, method, header)
"""

from gateway.errors import InvalidInput, Unavailable, UpstreamInvalid, UpstreamTimeout

__all__ = ["CallTimedOut", "RequestInvalid", "UpstreamInvalid", "UpstreamUnreachable"]


class UpstreamUnreachable(Unavailable):
    """The service did not accept a connection, has no address, or broke the connection before its answer ended.

    Attributes:
        sent: whether any byte of the request may have reached it. False: repeating is safe for every method.
    """

    code = "UPSTREAM_UNREACHABLE"

    def __init__(self, detail: str, *, sent: bool, retry_after_seconds: float | None = None) -> None:
        super().__init__(detail, retry_after_seconds=retry_after_seconds)
        self.sent = sent


class CallTimedOut(UpstreamTimeout):
    """The call did not end within its deadline, however the time was lost: name, connection, first byte or a slow drip.

    Attributes:
        sent: whether any byte of the request may have reached the service.
    """

    def __init__(self, detail: str, *, sent: bool) -> None:
        super().__init__(detail)
        self.sent = sent


class RequestInvalid(InvalidInput):
    """The address, method, header or body cannot be put into an HTTP request; nothing was sent."""
