"""A server over a real socket that does whatever a test says with each connection: drip, hang, reset, lie."""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Self

Handler = Callable[[socket.socket], None]


class RawServer:
    """Listens on a free port of 127.0.0.1; connection number n is handled by `handlers[n]`, all further ones by the last."""

    def __init__(self, *handlers: Handler) -> None:
        self._handlers = handlers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.connections = 0
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join(5)

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            handler = self._handlers[min(self.connections, len(self._handlers) - 1)]
            self.connections += 1
            self._open.append(sock)
            self._start(self._handle, handler, sock)

    @staticmethod
    def _handle(handler: Handler, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the client gave up, as most of these tests want it to
            handler(sock)


def read_request(sock: socket.socket) -> bytes:
    """Head and body of one request; b"" when the client closed."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = sock.recv(65536)
        if not chunk:
            return b""
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += sock.recv(65536)
    return head + b"\r\n\r\n" + body


def reset(sock: socket.socket) -> None:
    """Close with RST instead of FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    sock.close()


def answers(*raw: bytes) -> Handler:
    """Answer each request of the connection with the next of these; close after the last."""

    def handle(sock: socket.socket) -> None:
        for answer in raw:
            if not read_request(sock):
                break
            sock.sendall(answer)
        sock.close()

    return handle


def answers_forever(raw: bytes) -> Handler:
    """Answer each request of the connection with this, until the client closes."""

    def handle(sock: socket.socket) -> None:
        while read_request(sock):
            sock.sendall(raw)
        sock.close()

    return handle


def ok(body: bytes = b"{}", *headers: bytes) -> bytes:
    """A 200 with Content-Length."""
    lines = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
