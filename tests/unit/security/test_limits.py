"""The rate limit: counted by client, told in headers, kept up when its server is away."""

import socket
import threading

import pytest

from gateway.security.limiter_store import LimiterStore, Windows
from gateway.under_way import CACHE_STUCK_SECONDS
from tests.fakes.clock import FakeClock
from tests.fakes.container import FakeContainer, settings
from tests.fakes.edge import GUARDED, bearer, make_client

PATH = "/api/v1/services"
TWO = {"RATE_LIMIT_REQUESTS": "2", "RATE_LIMIT_WINDOW_SECONDS": "900"}


def test_limited_responses_tell_the_policy_and_what_is_left() -> None:
    headers = make_client().get(PATH).headers
    assert headers["RateLimit-Policy"] == '"default";q=1000;w=900'
    assert headers["RateLimit"].startswith('"default";r=999;t=')


def test_over_the_limit_is_a_429_that_says_when_to_come_back() -> None:
    client = make_client(**TWO)
    assert [client.get(PATH).status_code for _ in range(3)] == [200, 200, 429]
    response = client.get(PATH)
    problem = response.get_json()
    assert (problem["code"], problem["error"]["type"], problem["error"]["category"]) == (
        "RATE_LIMIT_EXCEEDED",
        "RATE_LIMIT_ERROR",
        "throttling",
    )
    assert response.headers["RateLimit"] == '"default";r=0;t=900'
    assert response.headers["Retry-After"] == "900"
    assert problem["recovery"]["retryAfter"] == 900_000


def test_every_route_counts_unknown_ones_too() -> None:
    client = make_client(**TWO)
    assert [client.get(path).status_code for path in ("/nowhere", "/api", PATH)] == [404, 200, 429]


def test_a_429_is_written_down() -> None:
    container = FakeContainer(settings=settings(**TWO))
    client = make_client(container)
    statuses = [client.get(PATH).status_code for _ in range(3)]
    assert [event.status for event in container.analytics.recorded] == statuses


def test_each_address_has_its_own_share() -> None:
    client = make_client(**TWO)
    for address in ("198.51.100.1", "198.51.100.2"):
        responses = [client.get(PATH, environ_overrides={"REMOTE_ADDR": address}) for _ in range(3)]
        assert [response.status_code for response in responses] == [200, 200, 429]


def test_a_token_has_its_own_share_from_any_address() -> None:
    client = make_client(**TWO, **GUARDED)
    statuses = [
        client.get(PATH, headers=bearer(), environ_overrides={"REMOTE_ADDR": f"198.51.100.{number}"}).status_code for number in range(3)
    ]
    assert statuses == [200, 200, 429]
    assert client.get(PATH, headers=bearer("reader-token-0123456789")).status_code == 200


def test_guessing_tokens_is_limited_by_address() -> None:
    client = make_client(**TWO, **GUARDED)
    assert [client.get(PATH, headers=bearer(f"guess-{number}")).status_code for number in range(3)] == [401, 401, 429]


@pytest.mark.parametrize(("proxies", "statuses"), [("0", [200, 200, 429]), ("1", [200, 200, 200])])
def test_forwarded_addresses_count_only_behind_trusted_proxies(proxies: str, statuses: list[int]) -> None:
    client = make_client(**TWO, TRUSTED_PROXIES=proxies)
    assert [client.get(PATH, headers={"X-Forwarded-For": f"203.0.113.{n}"}).status_code for n in range(3)] == statuses


def test_preflights_are_not_limited() -> None:
    client = make_client(**TWO)
    headers = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "GET"}
    assert [client.options(PATH, headers=headers).status_code for _ in range(4)] == [204] * 4


def test_a_window_in_memory_starts_with_its_first_request_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("gateway.security.limiter_store.time.time", lambda: now[0])
    windows = Windows()
    assert windows.count("a", 60, 1) == (1, 1060.0)
    now[0] = 1059.0
    assert windows.count("a", 60, 1) == (2, 1060.0)
    now[0] = 1060.0
    assert windows.find("a") == (0, 1060.0)
    assert windows.count("a", 60, 1) == (1, 1120.0)


def test_memory_is_bounded_and_forgets_the_oldest() -> None:
    windows = Windows(max_clients=2)
    for key in ("a", "b", "c"):
        windows.count(key, 60, 1)
    assert [windows.find(key)[0] for key in ("a", "b", "c")] == [0, 1, 1]


def test_the_headers_of_a_request_read_what_it_counted() -> None:
    store = LimiterStore("gateway-limits://")
    count = store.incr("a", 60)
    assert (store.get("a"), store.check()) == (count, True)
    assert store.get_expiry("a") > 0


def test_nobody_waits_behind_a_count_that_a_hung_server_keeps() -> None:
    clock = FakeClock()
    with socket.create_server(("127.0.0.1", 0)) as hung:
        url = f"redis://127.0.0.1:{hung.getsockname()[1]}"
        store = LimiterStore("gateway-limits://", redis_url=url, timeout_seconds=60, monotonic=clock.monotonic)
        waiting = threading.Thread(target=store.incr, args=("first", 60))
        waiting.start()
        connection, _ = hung.accept()
        clock.advance(CACHE_STUCK_SECONDS)
        assert store.incr("second", 60) == 1  # from memory: the server never answers within this test
        connection.close()
    waiting.join()
    store.close()
    assert store.get("first") == 1


def test_who_shares_the_server_is_told_once_that_it_is_lost() -> None:
    told = []
    with socket.socket() as refusing:
        refusing.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{refusing.getsockname()[1]}"
        store = LimiterStore("gateway-limits://", redis_url=url, on_lost=lambda: told.append("lost"))
        assert [store.incr("a", 60), store.incr("a", 60)] == [1, 2]
        store.close()
    assert told == ["lost"]
