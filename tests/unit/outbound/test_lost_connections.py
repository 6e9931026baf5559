"""Kept connections that lead nowhere: another server took over the address, and nobody said a word."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.clock import SystemClock
from gateway.outbound.client import HttpClient
from gateway.outbound.errors import CallTimedOut
from tests.doubles.raw_server import RawServer, answers_forever, ok, read_request

KEPT = 4


def test_they_cost_one_silent_call() -> None:
    together = threading.Barrier(KEPT, timeout=30)

    def answer_once(sock: socket.socket) -> None:
        read_request(sock)
        together.wait()
        sock.sendall(ok(b"first"))
        while read_request(sock):
            pass

    http = HttpClient(KEPT, SystemClock())
    with RawServer(*[answer_once] * KEPT, answers_forever(ok(b"again"))) as server, ThreadPoolExecutor(KEPT) as pool:

        def ask(_number: int) -> bytes:
            return http.request("GET", server.url, timeout_seconds=30).body

        assert list(pool.map(ask, range(KEPT))) == [b"first"] * KEPT
        with pytest.raises(CallTimedOut):
            http.request("GET", server.url, timeout_seconds=0.3)
        assert list(pool.map(ask, range(2 * KEPT))) == [b"again"] * 2 * KEPT
        http.close()
