"""urllib3's errors as ours, by type.

Source: https://urllib3.readthedocs.io/en/stable/reference/urllib3.exceptions.html
"""

import http.client
from collections.abc import Callable

from urllib3 import exceptions as urllib3_errors

from gateway.errors import GatewayError, UpstreamInvalid
from gateway.outbound.errors import CallTimedOut, RequestInvalid, UpstreamUnreachable

Build = Callable[[bool], GatewayError]


def translate(error: BaseException, *, sent: bool) -> GatewayError:
    """The error of ours that stands for one of urllib3's. `sent`: whether bytes of the request may have arrived."""
    if type(error) is urllib3_errors.ProtocolError:  # it carries what happened below
        cause = next((part for part in error.args if isinstance(part, BaseException)), error.__cause__)
        return translate(cause, sent=sent) if cause else _broken(sent)
    return next(build for kinds, build in RULES if isinstance(error, kinds))(sent)


def _unreachable(sent: bool) -> GatewayError:
    return UpstreamUnreachable("The called service cannot be reached", sent=sent)


def _broken(sent: bool) -> GatewayError:
    return UpstreamUnreachable("The connection to the called service broke before its answer ended", sent=sent)


def _timed_out(sent: bool) -> GatewayError:
    return CallTimedOut("The called service did not answer in time", sent=sent)


def _crowded(_sent: bool) -> GatewayError:
    return UpstreamUnreachable("Too many calls to this service are under way", sent=False, retry_after_seconds=1)


def _not_http(_sent: bool) -> GatewayError:
    return UpstreamInvalid("The called service answered something that is not HTTP")


def _unreadable(_sent: bool) -> GatewayError:
    return UpstreamInvalid("The called service answered something that cannot be read")


def _no_request(_sent: bool) -> GatewayError:
    return RequestInvalid("The address, method or a header of the call is not valid in HTTP")


# The first match wins. Many of these classes derive from each other (a refused connection is a ConnectTimeoutError to urllib3).
RULES: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Build], ...] = (
    ((urllib3_errors.NewConnectionError, urllib3_errors.SSLError, urllib3_errors.ProxyError), _unreachable),
    ((TimeoutError, urllib3_errors.TimeoutError), _timed_out),  # urllib3's stands for connecting and reading alike
    (urllib3_errors.PoolError, _crowded),
    ((urllib3_errors.LocationValueError, urllib3_errors.UnrewindableBodyError), _no_request),
    (http.client.IncompleteRead, _broken),  # urllib3's own are ones too; a chunk size that is no number cannot be told from an early end
    ((urllib3_errors.DecodeError, urllib3_errors.HTTPError), _unreadable),
    (OSError, _broken),  # RemoteDisconnected is both an OSError and a BadStatusLine; the wire broke
    (http.client.HTTPException, _not_http),
    (ValueError, _no_request),  # http.client refuses a header, method or path before it sends anything
    (Exception, _unreadable),
)
