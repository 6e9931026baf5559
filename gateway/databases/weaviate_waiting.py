"""What weaviate-client waits for, bounded: its HTTP and its gRPC calls share the deadline of the block that their thread is in.

Imported when first used.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from gateway.databases.bounded_http import BodyTooLarge
from gateway.databases.deadline import shut_down
from gateway.databases.limits import MAX_ANSWER_BYTES
from gateway.databases.weaviate_client import grpc, httpx
from gateway.databases.weaviate_errors import GrpcFailed

# gRPC's own would wait up to two minutes before it tries a returned server again, and take a proxy from the environment.
CHANNEL_OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),  # else all channels of a process share one connection, a silent one too
]
_thread = threading.local()


def begin(timeout_seconds: float) -> "Wire":
    """Start this thread's deadline; the wire is what its calls will use."""
    _thread.deadline = time.monotonic() + timeout_seconds
    wire: Wire = Wire()
    _thread.wire = wire
    return wire


def left() -> float:
    """The seconds until this thread's deadline."""
    deadline: float = _thread.deadline
    return max(0.001, deadline - time.monotonic())


class BoundedStub:
    """The client's gRPC stub. A failed call comes out as our own exception, which the client's retries do not know."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return without_retry(getattr(self._stub, name))


def without_retry(call: Callable[..., Any]) -> Callable[..., Any]:
    """A gRPC call that is made once, within this thread's deadline, and fails as GrpcFailed."""

    def once(request: Any, *, metadata: Any = None, timeout: float | None = None) -> Any:
        try:
            return call(request, metadata=metadata, timeout=min(left(), timeout or left()))
        except grpc.RpcError as error:
            raise GrpcFailed(error.code()) from error

    return once


class Wire:
    """The socket that a call's answer comes over, so that another thread can cut it."""

    held: socket.socket | None = None

    def cut(self) -> None:
        shut_down(self.held)


class BoundedTransport(httpx.BaseTransport):
    """httpx with no retries, as many connections as allowed, each wait bounded by the deadline of the block, and a cap on the body."""

    def __init__(self, limit: int) -> None:
        limits = httpx.Limits(max_connections=limit, max_keepalive_connections=limit, keepalive_expiry=60)
        self._inner = httpx.HTTPTransport(limits=limits, retries=0)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        seconds = left()
        request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), seconds)
        response = self._inner.handle_request(request)
        stream = response.extensions.get("network_stream")
        _thread.wire.held = stream.get_extra_info("socket") if stream else None
        response.stream = _CappedStream(response.stream)
        return response

    def idle(self) -> int:
        return sum(1 for connection in self._inner._pool.connections if connection.is_idle())

    def close(self) -> None:
        self._inner.close()


class _CappedStream(httpx.SyncByteStream):
    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for chunk in self._inner:
            size += len(chunk)
            if size > 2 * MAX_ANSWER_BYTES:
                raise BodyTooLarge
            yield chunk

    def close(self) -> None:
        self._inner.close()
