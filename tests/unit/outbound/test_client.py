"""The HTTP client over real sockets: whatever the other side does, the call ends in time with a named error."""

import gzip
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from gateway.clock import SystemClock
from gateway.errors import UpstreamInvalid, UpstreamTimeout
from gateway.observability.context import request_context
from gateway.outbound.client import HttpClient
from gateway.outbound.errors import CallTimedOut, RequestInvalid, UpstreamUnreachable
from tests.doubles.raw_server import Handler, RawServer, answers, answers_forever, ok, read_request, reset

LIMIT_SECONDS = 0.3
GENEROUS_SECONDS = 30.0


@pytest.fixture
def http() -> Iterator[HttpClient]:
    client = HttpClient(4, SystemClock())
    yield client
    client.close()


def drip(first: bytes) -> Handler:
    """Send `first`, then one byte every 50 ms for as long as anybody listens."""

    def handle(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(first)
        while True:
            sock.sendall(b"x")
            time.sleep(0.05)

    return handle


def hang(sock: socket.socket) -> None:
    read_request(sock)
    sock.recv(1)


def flood(prefix: bytes, piece: bytes) -> Handler:
    def handle(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(prefix)
        while True:
            sock.sendall(piece)

    return handle


def broken_after(raw: bytes, close: Callable[[socket.socket], None]) -> Handler:
    def handle(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(raw)
        close(sock)

    return handle


def failure(call: Callable[[], object]) -> BaseException:
    """What ends the call. Where nothing does, the timeout of every test tells."""
    with pytest.raises((UpstreamUnreachable, UpstreamTimeout, UpstreamInvalid)) as caught:
        call()
    return caught.value


def test_gives_status_headers_and_body(http: HttpClient) -> None:
    with RawServer(answers(ok(b'{"a": 1}', b"X-Thing: one", b"X-Thing: two"))) as server:
        answer = http.request("GET", server.url, timeout_seconds=GENEROUS_SECONDS)
    assert answer.status == 200
    assert answer.headers["x-thing"] == "one, two"
    assert answer.json() == {"a": 1}


@pytest.mark.parametrize("status", [204, 301, 302, 307, 404, 500, 503])
def test_every_status_is_an_answer_and_no_redirect_is_followed(http: HttpClient, status: int) -> None:
    raw = b"HTTP/1.1 %d Word\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n" % status
    with RawServer(answers(raw)) as server:
        answer = http.request("GET", server.url, timeout_seconds=GENEROUS_SECONDS)
    assert answer.status == status
    assert server.connections == 1


def test_sends_json_with_the_request_id(http: HttpClient) -> None:
    seen: list[bytes] = []

    def handle(sock: socket.socket) -> None:
        seen.append(read_request(sock))
        sock.sendall(ok())

    with RawServer(handle) as server, request_context("req-1"):
        http.request("POST", f"{server.url}/a/b?c=d", json={"ü": [1, None]}, headers={"X-Own": "1"}, timeout_seconds=GENEROUS_SECONDS)
    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /a/b?c=d HTTP/1.1\r\n")
    assert b"x-request-id: req-1" in head
    assert b"x-own: 1" in head
    assert b"content-type: application/json" in head
    assert json.loads(body) == {"ü": [1, None]}


def test_the_callers_request_id_wins(http: HttpClient) -> None:
    seen: list[bytes] = []

    def handle(sock: socket.socket) -> None:
        seen.append(read_request(sock))
        sock.sendall(ok())

    with RawServer(handle) as server, request_context("req-1"):
        http.request("GET", server.url, headers={"X-Request-ID": "own"}, timeout_seconds=GENEROUS_SECONDS)
    assert b"x-request-id: own\r\n" in seen[0]
    assert b"req-1" not in seen[0]


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(hang, id="accepts and never answers"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\nX-Slow: "), id="drips a header"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"), id="drips a body"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n"), id="drips a chunk"),
        pytest.param(flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 10), id="continues for ever"),
    ],
)
def test_the_deadline_covers_the_whole_call(http: HttpClient, handler: Handler) -> None:
    with RawServer(handler) as server:
        error = failure(lambda: http.request("GET", server.url, timeout_seconds=LIMIT_SECONDS))
    assert isinstance(error, (CallTimedOut, UpstreamInvalid))
    if isinstance(error, CallTimedOut):
        assert error.sent


def test_a_connection_that_is_never_accepted_ends_in_time(http: HttpClient) -> None:
    with socket.socket() as listener:  # a full backlog: further connections get no answer at all
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(address)
        error = failure(lambda: http.request("GET", f"http://127.0.0.1:{address[1]}", timeout_seconds=LIMIT_SECONDS))
        for sock in waiting:
            sock.close()
    assert isinstance(error, CallTimedOut)
    assert not error.sent


def test_no_time_at_all_is_a_timeout(http: HttpClient) -> None:
    with pytest.raises(CallTimedOut) as caught:
        http.request("GET", "http://127.0.0.1:1/", timeout_seconds=0)
    assert not caught.value.sent


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/", "http://name.invalid/", "http://[::1]:1/"])
def test_nobody_there_is_unreachable_and_nothing_was_sent(http: HttpClient, address: str) -> None:
    with pytest.raises(UpstreamUnreachable) as caught:
        http.request("GET", address, timeout_seconds=GENEROUS_SECONDS)
    assert not caught.value.sent


@pytest.mark.parametrize("close", [reset, socket.socket.close], ids=["reset", "closed"])
@pytest.mark.parametrize(
    "raw",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"],
    ids=["before the answer", "in the body", "in a chunk"],
)
def test_a_connection_that_breaks_is_unreachable_and_may_have_been_sent(
    http: HttpClient, raw: bytes, close: Callable[[socket.socket], None]
) -> None:
    with RawServer(broken_after(raw, close)) as server:
        with pytest.raises(UpstreamUnreachable) as caught:
            http.request("GET", server.url, timeout_seconds=GENEROUS_SECONDS)
        assert server.connections == 1, "a fresh connection that broke is not tried again"
    assert caught.value.sent


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(answers(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), id="another protocol"),
        pytest.param(answers(ok(b"not gzip at all", b"Content-Encoding: gzip")), id="broken gzip"),
        pytest.param(answers(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 200 + b"\r\n"), id="too many headers"),
        pytest.param(answers(b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 100_000 + b"\r\n\r\n"), id="a long header"),
        pytest.param(flood(b"HTTP/1.1 200 OK\r\n", b"X-A: " + b"b" * 50_000 + b"\r\n"), id="endless headers"),
        pytest.param(flood(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"x" * 65536), id="an endless body"),
        pytest.param(flood(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"4\r\nabcd\r\n" * 1000), id="endless chunks"),
        pytest.param(answers(ok(gzip.compress(b"\0" * 3_000_000), b"Content-Encoding: gzip")), id="a gzip bomb"),
    ],
)
def test_an_unusable_answer_is_invalid(http: HttpClient, handler: Handler) -> None:
    with RawServer(handler) as server:
        error = failure(lambda: http.request("GET", server.url, timeout_seconds=GENEROUS_SECONDS, max_bytes=1_000_000))
    assert isinstance(error, UpstreamInvalid)


def speaks_no_tls(sock: socket.socket) -> None:
    sock.recv(65536)
    sock.sendall(b"this is no TLS")
    sock.close()


def test_a_broken_handshake_is_unreachable_and_nothing_was_sent(http: HttpClient) -> None:
    with RawServer(speaks_no_tls) as server, pytest.raises(UpstreamUnreachable) as caught:
        http.request("POST", server.url.replace("http://", "https://"), body=b"x", timeout_seconds=GENEROUS_SECONDS)
    assert not caught.value.sent


def test_a_hung_handshake_ends_in_time(http: HttpClient) -> None:
    with RawServer(hang) as server:
        error = failure(lambda: http.request("GET", server.url.replace("http://", "https://"), timeout_seconds=LIMIT_SECONDS))
    assert isinstance(error, CallTimedOut)
    assert not error.sent


def test_an_answer_of_just_the_allowed_size_is_accepted(http: HttpClient) -> None:
    with RawServer(answers(ok(b"x" * 1000))) as server:
        assert len(http.request("GET", server.url, timeout_seconds=GENEROUS_SECONDS, max_bytes=1000).body) == 1000


def test_compressed_answers_are_decoded(http: HttpClient) -> None:
    with RawServer(answers(ok(gzip.compress(b'{"a": 1}'), b"Content-Encoding: gzip"))) as server:
        assert http.request("GET", server.url, timeout_seconds=GENEROUS_SECONDS).json() == {"a": 1}


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe", b'{"a": NaN}', b"[" * 100_000, b"1" * 10_000])
def test_what_is_not_json_is_invalid(http: HttpClient, body: bytes) -> None:
    with RawServer(answers(ok(body))) as server:
        answer = http.request("GET", server.url, timeout_seconds=GENEROUS_SECONDS)
    with pytest.raises(UpstreamInvalid):
        answer.json()


@pytest.mark.parametrize(
    ("method", "url", "headers"),
    [
        ("GET", "ftp://127.0.0.1/", {}),
        ("GET", "127.0.0.1:80", {}),
        ("GET", "http:///path", {}),
        ("GET", "http://[::1/", {}),
        ("GET", "http://127.0.0.1:99999/", {}),
        ("GE T", "http://127.0.0.1:1/", {}),
        ("GET", "http://127.0.0.1:{port}/", {"X-A": "one\r\nX-B: two"}),
        ("GET", "http://127.0.0.1:{port}/", {"X-A: x": "one"}),
        ("GET", "http://127.0.0.1:{port}/", {"X-A": "日本"}),
    ],
)
def test_what_is_no_http_request_is_refused(http: HttpClient, method: str, url: str, headers: dict[str, str]) -> None:
    with RawServer(hang) as server, pytest.raises(RequestInvalid):
        http.request(method, url.replace("{port}", server.url.rsplit(":", 1)[1]), headers=headers, timeout_seconds=GENEROUS_SECONDS)


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, object()])
def test_a_body_that_is_not_json_is_refused(http: HttpClient, value: object) -> None:
    with pytest.raises(RequestInvalid):
        http.request("POST", "http://127.0.0.1:1/", json=value, timeout_seconds=GENEROUS_SECONDS)


def test_connections_are_reused(http: HttpClient) -> None:
    with RawServer(answers_forever(ok())) as server:
        for _ in range(5):
            http.request("GET", server.url, timeout_seconds=GENEROUS_SECONDS)
        assert server.connections == 1


def test_a_refused_answer_does_not_leave_its_connection_behind(http: HttpClient) -> None:
    with RawServer(answers_forever(ok(b"x" * 100_000))) as server:
        with pytest.raises(UpstreamInvalid):
            http.request("GET", server.url, timeout_seconds=GENEROUS_SECONDS, max_bytes=10)
        answer = http.request("GET", server.url, timeout_seconds=GENEROUS_SECONDS)
        assert len(answer.body) == 100_000
        assert server.connections == 2


def closes_at_second_request(sock: socket.socket) -> None:
    """A server whose keep-alive ended at the very moment the connection was used again."""
    read_request(sock)
    sock.sendall(ok())
    read_request(sock)
    reset(sock)


@pytest.mark.parametrize(("method", "headers"), [("GET", {}), ("PUT", {}), ("DELETE", {}), ("POST", {"Idempotency-Key": "e:n"})])
def test_a_kept_connection_that_died_is_replaced_once_where_that_is_harmless(
    http: HttpClient, method: str, headers: dict[str, str]
) -> None:
    with RawServer(closes_at_second_request, answers_forever(ok(b'"second"'))) as server:
        http.request("GET", server.url, timeout_seconds=GENEROUS_SECONDS)
        answer = http.request(method, server.url, headers=headers, body=b"x", timeout_seconds=GENEROUS_SECONDS)
        assert answer.json() == "second"
        assert server.connections == 2


def test_a_post_without_a_key_is_never_repeated(http: HttpClient) -> None:
    with RawServer(closes_at_second_request, answers_forever(ok())) as server:
        http.request("GET", server.url, timeout_seconds=GENEROUS_SECONDS)
        with pytest.raises(UpstreamUnreachable) as caught:
            http.request("POST", server.url, body=b"x", timeout_seconds=GENEROUS_SECONDS)
        assert caught.value.sent
        assert server.connections == 1


def test_nothing_is_repeated_once_the_answer_has_begun(http: HttpClient) -> None:
    def half_at_second_request(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(ok())
        read_request(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhal")
        reset(sock)

    with RawServer(half_at_second_request, answers_forever(ok())) as server:
        http.request("GET", server.url, timeout_seconds=GENEROUS_SECONDS)
        with pytest.raises(UpstreamUnreachable):
            http.request("GET", server.url, timeout_seconds=GENEROUS_SECONDS)
        assert server.connections == 1


def test_a_connection_closed_while_idle_is_noticed_before_sending(http: HttpClient) -> None:
    closed = threading.Event()

    def one_request(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(ok())
        sock.shutdown(socket.SHUT_RDWR)
        closed.set()

    with RawServer(one_request, answers_forever(ok())) as server:
        http.request("GET", server.url, timeout_seconds=GENEROUS_SECONDS)
        assert closed.wait(GENEROUS_SECONDS)
        assert http.request("POST", server.url, body=b"x", timeout_seconds=GENEROUS_SECONDS).status == 200
        assert server.connections == 2


def test_an_answer_that_closes_its_connection_is_read_to_the_end(http: HttpClient) -> None:
    body = b"x" * 300_000
    with RawServer(answers(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body)) as server:
        assert http.request("GET", server.url, timeout_seconds=GENEROUS_SECONDS).body == body


def test_more_callers_than_connections_wait_for_their_turn_and_no_longer_than_they_may() -> None:
    http = HttpClient(1, SystemClock())
    started = threading.Event()

    def slow(sock: socket.socket) -> None:
        read_request(sock)
        started.set()
        sock.recv(1)

    with RawServer(slow) as server:
        holder = threading.Thread(target=lambda: failure(lambda: http.request("GET", server.url, timeout_seconds=GENEROUS_SECONDS)))
        holder.start()
        assert started.wait(GENEROUS_SECONDS)
        error = failure(lambda: http.request("GET", server.url, timeout_seconds=LIMIT_SECONDS))
    holder.join()  # its server is gone
    http.close()
    assert isinstance(error, UpstreamUnreachable)
    assert not error.sent


def test_a_forked_child_opens_connections_of_its_own(http: HttpClient) -> None:
    with RawServer(answers_forever(ok())) as server:
        http.request("GET", server.url, timeout_seconds=GENEROUS_SECONDS)
        child = os.fork()
        if child == 0:
            status = http.request("GET", server.url, timeout_seconds=GENEROUS_SECONDS).status
            os._exit(0 if status == 200 else 1)
        _, code = os.waitpid(child, 0)
        assert code == 0
        assert http.request("GET", server.url, timeout_seconds=GENEROUS_SECONDS).status == 200
        assert server.connections == 2


def test_closing_lets_the_next_call_open_again(http: HttpClient) -> None:
    with RawServer(answers_forever(ok())) as server:
        http.request("GET", server.url, timeout_seconds=GENEROUS_SECONDS)
        http.close()
        http.request("GET", server.url, timeout_seconds=GENEROUS_SECONDS)
        assert server.connections == 2


def test_constructing_opens_nothing_and_starts_no_thread() -> None:
    before = threading.active_count()
    HttpClient(4, SystemClock())
    assert threading.active_count() == before
