"""Answers that are given again: by whom they may be seen, for how long, and what the client is told."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from werkzeug.test import TestResponse

from gateway.analytics.model import AnalyticsQuery, RequestReport
from gateway.databases.errors import DatabaseUnreachable
from gateway.errors import GatewayError
from gateway.topology.errors import NodeNotFound
from tests.fakes.container import FakeAnalytics, FakeContainer, settings
from tests.fakes.edge import GUARDED, bearer, make_client

PATH = "/api/v1/analytics/requests"
IMPACT = "/api/v1/topology/service/orders/impact"
FRESH_SECONDS = 2.0
READER = bearer("reader-token-0123456789")


def status(response: TestResponse) -> str:
    return response.headers["Cache-Status"].removeprefix("api-gateway; ")


class FailingAnalytics(FakeAnalytics):
    """Answers until it is given an error."""

    error: GatewayError | None = None

    def requests(self, query: AnalyticsQuery) -> RequestReport:
        if self.error:
            raise self.error
        return super().requests(query)


@pytest.fixture
def container() -> FakeContainer:
    return FakeContainer(analytics=FailingAnalytics())


def break_analytics(container: FakeContainer) -> None:
    assert isinstance(container.analytics, FailingAnalytics)
    container.analytics.error = DatabaseUnreachable("postgres", "PostgreSQL cannot be reached")


def test_an_answer_is_given_again_while_it_is_fresh(container: FakeContainer) -> None:
    client = make_client(container)
    first = client.get(PATH)
    container.clock.advance(1.5)
    again = client.get(PATH)
    assert (status(first), first.headers["Age"]) == ("fwd=miss; stored", "0")
    assert (status(again), again.headers["Age"]) == ("hit; ttl=0; detail=in-process", "1")
    assert again.get_data() == first.get_data()
    assert again.headers["ETag"] == first.headers["ETag"]
    assert len(container.analytics.asked) == 1
    container.clock.advance(1)
    assert status(client.get(PATH)) == "fwd=miss; stored"
    assert len(container.analytics.asked) == 2


def test_analytics_is_told_what_served(container: FakeContainer) -> None:
    client = make_client(container)
    client.get(PATH)
    client.get(PATH)
    assert [event.served_from for event in container.analytics.recorded] == ["postgres", "cache"]


def test_a_client_that_has_it_gets_a_304(container: FakeContainer) -> None:
    client = make_client(container)
    etag = client.get(PATH).headers["ETag"]
    response = client.get(PATH, headers={"If-None-Match": etag})
    assert (response.status_code, response.get_data()) == (304, b"")
    assert status(response).startswith("hit")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("?groupBy=route&status=404", "?status=404&groupBy=route&unknown=1"),
        ("?bucket=1m", "?bucket=60"),
        ("?since=2026-01-01T00:00:00Z", "?since=2026-01-01T01:00:00%2B01:00"),
        ("", "?route="),
    ],
)
def test_ways_of_asking_the_same_share_an_answer(container: FakeContainer, one: str, other: str) -> None:
    client = make_client(container)
    client.get(PATH + one)
    assert status(client.get(PATH + other)).startswith("hit")


@pytest.mark.parametrize("query", ["?status=500", "?groupBy=route", "?bucket=60", "?tenant=t1"])
def test_another_question_is_another_answer(container: FakeContainer, query: str) -> None:
    client = make_client(container)
    client.get(PATH)
    assert status(client.get(PATH + query)) == "fwd=miss; stored"


def test_paths_do_not_share_answers(container: FakeContainer) -> None:
    client = make_client(container)
    for path in (PATH, "/api/v1/analytics/errors", "/api/v1/topology", IMPACT, IMPACT + "?depth=2"):
        assert status(client.get(path)) == "fwd=miss; stored"
        assert status(client.get(path)).startswith("hit")


def test_who_may_see_something_else_shares_no_answer() -> None:
    container = FakeContainer(settings=settings(**GUARDED))
    client = make_client(container)
    client.get(PATH, headers=bearer())
    assert status(client.get(PATH, headers=READER)) == "fwd=miss; stored"
    assert status(client.get(PATH, headers={**READER, "X-Tenant-ID": "t1"})) == "fwd=miss; stored"
    assert status(client.get(PATH, headers=READER)).startswith("hit")
    assert client.get(PATH).status_code == 401


@pytest.mark.parametrize("wish", ["no-cache", "max-age=0"])
def test_a_client_that_wants_it_new_gets_it_new_and_so_do_the_next(container: FakeContainer, wish: str) -> None:
    client = make_client(container)
    client.get(PATH)
    container.clock.advance(1.5)
    renewed = client.get(PATH, headers={"Cache-Control": wish})
    assert (status(renewed), renewed.headers["Age"]) == ("fwd=request; stored", "0")
    container.clock.advance(1.5)
    assert status(client.get(PATH)).startswith("hit")
    assert len(container.analytics.asked) == 2


def test_a_client_that_wants_it_kept_nowhere_is_heard(container: FakeContainer) -> None:
    client = make_client(container)
    assert status(client.get(PATH, headers={"Cache-Control": "no-store"})) == "fwd=request"
    assert status(client.get(PATH)) == "fwd=miss; stored"


def test_an_error_is_never_kept(container: FakeContainer) -> None:
    client = make_client(container)
    break_analytics(container)
    response = client.get(PATH)
    assert (response.status_code, response.headers.get("Cache-Status")) == (503, None)
    container.analytics.error = None  # type: ignore[attr-defined]
    assert status(client.get(PATH)) == "fwd=miss; stored"


def test_while_nothing_newer_can_be_had_the_answer_of_before_is_given_with_its_age(container: FakeContainer) -> None:
    client = make_client(container)
    client.get(PATH)
    break_analytics(container)
    container.clock.advance(20)
    response = client.get(PATH)
    assert (response.status_code, status(response)) == (200, "hit; ttl=-18; detail=in-process")
    assert (response.headers["Age"], response.headers["X-Fallback-Available"]) == ("20", "true")
    container.clock.advance(FRESH_SECONDS + 30 - 20)
    assert client.get(PATH).status_code == 503


def test_what_is_gone_is_a_404_at_once(container: FakeContainer) -> None:
    client = make_client(container)
    client.get(IMPACT)
    container.clock.advance(FRESH_SECONDS)

    def gone(kind: str, name: str, depth: int) -> None:
        raise NodeNotFound(kind, name)

    container.topology.impact = gone  # type: ignore[method-assign,assignment]
    assert client.get(IMPACT).status_code == 404


def test_a_wrong_question_is_pointed_at_before_the_cache_is_asked(container: FakeContainer) -> None:
    assert make_client(container).get(IMPACT + "?depth=99").status_code == 400


def test_zero_seconds_give_nothing_again() -> None:
    container = FakeContainer(settings=settings(RESPONSE_FRESH_SECONDS="0"))
    client = make_client(container)
    assert [status(client.get(PATH)) for _ in range(2)] == ["fwd=bypass", "fwd=bypass"]
    assert len(container.analytics.asked) == 2


def test_of_many_who_ask_at_once_one_is_answered_and_the_others_share_it(container: FakeContainer) -> None:
    started, release = threading.Event(), threading.Event()
    count = container.analytics.requests

    def slow(query: AnalyticsQuery) -> RequestReport:
        started.set()
        assert release.wait(10)
        return count(query)

    container.analytics.requests = slow  # type: ignore[method-assign]
    app = make_client(container).application
    with ThreadPoolExecutor(4) as pool:
        leader = pool.submit(lambda: app.test_client().get(PATH))
        assert started.wait(10)
        others = [pool.submit(lambda: app.test_client().get(PATH)) for _ in range(3)]
        while any(not future.running() and not future.done() for future in others):
            pass
        release.set()
        statuses = [status(future.result(10)) for future in [leader, *others]]
    assert statuses[0] == "fwd=miss; stored"
    assert len(container.analytics.asked) == 1
    assert set(statuses[1:]) <= {"fwd=miss; collapsed", "hit; ttl=2; detail=in-process"}


def test_a_list_of_flows_is_never_kept_and_says_so(container: FakeContainer) -> None:
    client = make_client(container)
    assert [status(client.get("/api/v1/flows")) for _ in range(2)] == ["fwd=bypass", "fwd=bypass"]


@pytest.mark.parametrize(
    ("served_by", "disabled", "marked"), [("postgres", set(), True), ("postgres", {"clickhouse"}, False), ("clickhouse", set(), False)]
)
def test_an_answer_by_another_than_the_configured_first_choice_is_marked(
    container: FakeContainer, served_by: str, disabled: set[str], marked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, count = make_client(container), container.analytics.requests
    container.poller.disabled = disabled
    monkeypatch.setattr(container.analytics, "requests", lambda query: replace(count(query), served_by=served_by))
    for _ in range(2):  # the one that computes it, and the copy
        response = client.get(PATH)
        assert response.get_json()["data"]["servedBy"] == served_by
        assert ("X-Fallback-Available" in response.headers) == marked
