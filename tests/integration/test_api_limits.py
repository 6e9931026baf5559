"""The rate limit over a real redis-server: shared by processes, and never in the way when the server is gone or hangs."""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from gateway.security.limiter_store import LimiterStore
from tests.servers.fault_proxy import FaultProxy

TIMEOUT_SECONDS = 2.0  # a busy machine is no hung server


class HungServer:
    """Accepts connections and never answers."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._accepted: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                self._accepted.append(self._listener.accept()[0])
            except OSError:
                return

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for connection in self._accepted:
            connection.close()


@pytest.fixture
def hung_server() -> Iterator[HungServer]:
    server = HungServer()
    yield server
    server.close()


def store_of(url: str) -> LimiterStore:
    return LimiterStore("gateway-limits://", redis_url=url, timeout_seconds=TIMEOUT_SECONDS)


def close(*stores: LimiterStore) -> None:
    for store in stores:
        store.close()


def test_processes_count_together(redis_url: str) -> None:
    one, other = store_of(redis_url), store_of(redis_url)
    assert [one.incr("client", 60), other.incr("client", 60), one.incr("client", 60)] == [1, 2, 3]
    assert 0 < one.get_expiry("client") - time.time() <= 60
    close(one, other)


def test_the_window_is_not_prolonged_by_counting(redis_url: str) -> None:
    store = store_of(redis_url)
    store.incr("client", 60)
    ends_at = store.get_expiry("client")
    store.incr("client", 900)
    assert store.get_expiry("client") == pytest.approx(ends_at, abs=0.1)
    close(store)


def test_a_server_that_is_gone_is_replaced_by_memory_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    store = store_of(f"redis://127.0.0.1:{port}/0")
    assert [store.incr("client", 60) for _ in range(3)] == [1, 2, 3]
    assert not store.check()
    close(store)


def test_a_hung_server_is_waited_for_once_and_never_retried(hung_server: HungServer) -> None:
    store = store_of(f"redis://127.0.0.1:{hung_server.port}/0")
    counted, script = [], store._script

    def count(*arguments: Any) -> Any:
        counted.append(arguments)
        return script(*arguments)  # type: ignore[misc]

    store._script = count
    assert [store.incr("client", 60) for _ in range(1001)][-1] == 1001
    assert len(counted) == 1
    close(store)


def test_a_server_that_returns_counts_again(redis_url: str) -> None:
    server = urlsplit(redis_url)
    with FaultProxy(str(server.hostname), int(server.port or 0)) as proxy:
        store = store_of(f"redis://:{server.password}@127.0.0.1:{proxy.port}/0")
        proxy.refuse()
        assert [store.incr("client", 60) for _ in range(2)] == [1, 2]
        proxy.accept_again()
        assert store.wait_until_back(timeout_seconds=30)
        assert store.incr("client", 60) == 1
        close(store)
