"""gunicorn's threaded worker, taught to answer what it refuses itself as the application answers, and to wait for nobody for ever.

Source: gunicorn 27 `gunicorn/workers/base.py` (`handle_error` writes a page of HTML), `gunicorn/workers/gthread.py` (a thread reads a
request, and writes its answer, on a blocking socket without a deadline; the main loop waits for the client of a closing connection).
"""

import contextlib
import socket
import struct
import time
from typing import Any

from gunicorn.http import errors, wsgi
from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser
from gunicorn.workers.gthread import _DEFER, TConn, ThreadWorker

from config.broken_request import ENVIRON_KEY, BrokenRequest
from config.patience import PatientSocket

LINGER_SECONDS = 1.0
LINGER_BYTES = 64 * 1024
HEAD_OF_NOTHING = b"UNKNOWN / HTTP/1.1\r\nConnection: close\r\n\r\n"
FRAMING_FIELDS = frozenset({"CONTENT-LENGTH", "TRANSFER-ENCODING", "HOST", "CONTENT-TYPE"})
CHUNKS = "The body's chunks are not framed as HTTP says"
HEADERS = "A header field is not written as HTTP says"
PROXY = "The line of the PROXY protocol cannot be read"
# The sentences are ours: gunicorn's repeat what the client sent.
REFUSALS: tuple[tuple[type[Exception], int, str], ...] = (
    (errors.LimitRequestLine, 414, "The request line is too long"),
    (errors.LimitRequestHeaders, 431, "The header fields are too many or too long"),
    (errors.UnsupportedTransferCoding, 501, "The Transfer-Encoding is not supported; only chunked is"),
    (errors.ExpectationFailed, 417, "The Expect header asks for something that is not offered; 100-continue is"),
    (errors.ForbiddenProxyRequest, 403, "This address may not speak the PROXY protocol"),
    (errors.InvalidRequestMethod, 400, "The method is not a word of HTTP in capitals"),
    (errors.InvalidHTTPVersion, 400, "The HTTP version is not 1.0 or 1.1"),
    (errors.InvalidRequestLine, 400, "The request line is not written as HTTP says"),
    (errors.InvalidHeaderName, 400, HEADERS),
    (errors.InvalidHeader, 400, HEADERS),
    (errors.ObsoleteFolding, 400, "A header field is folded over several lines"),
    (errors.InvalidSchemeHeaders, 400, "The header fields that tell the scheme contradict each other"),
    (errors.InvalidChunkSize, 400, CHUNKS),
    (errors.InvalidChunkExtension, 400, CHUNKS),
    (errors.ChunkMissingTerminator, 400, CHUNKS),
    (errors.InvalidProxyLine, 400, PROXY),
    (errors.InvalidProxyHeader, 400, PROXY),
)
# A header that the application tried to send is its own fault, though gunicorn's classes descend from the client's.
APPLICATIONS_FAULTS = (errors.InvalidResponseHeader, errors.InvalidResponseHeaderName)


def broken_request(error: Exception) -> BrokenRequest | None:
    """The client's fault in an error of gunicorn's; None for the application's."""
    if isinstance(error, BrokenRequest):
        return error
    status, detail = next(((status, detail) for kind, status, detail in REFUSALS if isinstance(error, kind)), (0, ""))
    if not status or isinstance(error, APPLICATIONS_FAULTS):
        return None
    field = getattr(error, "hdr", None)
    named = f"The header field {field.title()} is wrong, or comes twice" if field in FRAMING_FIELDS and detail is HEADERS else detail
    return BrokenRequest(named, status=status)


class AnsweringWorker(ThreadWorker):  # type: ignore[misc]
    """What gunicorn refuses goes through the application, which answers it as its own: its shape of errors, its headers, its log line."""

    patience_seconds: float = 20.0

    def handle(self, conn: TConn) -> Any:
        """One request, in a thread of the pool. Until its head is there, the connection waits in the main loop and costs no thread."""
        if self.cfg.is_ssl:
            return super().handle(conn)
        source = self._source_of(conn)
        source.put_back(conn.parser.unreader.take_buffered())  # what was read beyond the request before
        if not source.has_head():
            return _DEFER
        conn.data_ready = True
        goes_on = super().handle(conn)
        source.begin()
        if not goes_on:
            end_sending(conn.sock)
        return goes_on

    def murder_pending(self) -> None:
        """Connections that were silent for long: one in the middle of a head hears why it is closed."""
        now = time.monotonic()
        while self.pending_conns and (conn := self.pending_conns[0]).timeout <= now and self._gives_up(conn):
            self.on_pending_socket_readable(conn, conn.sock)
        super().murder_pending()

    def _gives_up(self, conn: TConn) -> bool:
        return not self.cfg.is_ssl and self._source_of(conn).give_up()

    def _source_of(self, conn: TConn) -> PatientSocket:
        if conn.parser is None:
            conn.parser = RequestParser(self.cfg, PatientSocket(conn.sock, self.patience_seconds), conn.client)
            limit_sending(conn.sock, self.patience_seconds)
        source: PatientSocket = conn.parser.unreader.sock
        return source

    def handle_error(self, req: Request | None, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Let the application answer, as the end of this connection."""
        known = req or getattr(exc, "req", None)
        if not isinstance(known, Request):  # refused before it was read: one of nothing stands for it
            known = next(RequestParser(self.cfg, iter([HEAD_OF_NOTHING]), addr))
        try:
            response, environ = wsgi.create(known, client, addr, client.getsockname(), self.cfg)
            environ[ENVIRON_KEY] = broken_request(exc) or exc
            environ["wsgi.input"] = _Nothing()
            response.force_close()
            answer(self.wsgi, environ, response)
        except OSError:
            self.log.debug("The client left before its answer")
        except Exception:
            self.log.exception("The application could not answer an error")
            super().handle_error(req, client, addr, exc)


class _Nothing:
    """A body without bytes."""

    def read(self, _size: int = -1) -> bytes:
        return b""


def answer(application: Any, environ: dict[str, Any], response: Any) -> None:
    """What the application says, onto the wire."""
    parts = application(environ, response.start_response)
    try:
        for part in parts:
            response.write(part)
        response.close()
    finally:
        if hasattr(parts, "close"):
            parts.close()


def limit_sending(sock: socket.socket, seconds: float) -> None:
    """A client that reads nothing of its answer for so long is cut off: the send fails with EAGAIN (socket(7), SO_SNDTIMEO)."""
    whole, rest = divmod(seconds, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(whole), int(rest * 1_000_000)))


def end_sending(sock: socket.socket) -> None:
    """Let the client read the last answer to its end (RFC 9112 §9.6), here, where it holds up no loop that accepts others."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        deadline, left_bytes = time.monotonic() + LINGER_SECONDS, LINGER_BYTES
        while left_bytes > 0 and (left_seconds := deadline - time.monotonic()) > 0:
            sock.settimeout(left_seconds)
            read = len(sock.recv(4096))
            if not read:
                break
            left_bytes -= read
        sock.shutdown(socket.SHUT_RDWR)  # whoever closes it next waits no second time
