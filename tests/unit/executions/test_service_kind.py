from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.errors import InvalidInput
from gateway.executions.errors import AnswerUnexpected, ServiceOverloaded, ServiceUndiscovered
from gateway.executions.kinds.call import NodeCall, retry_after_seconds
from gateway.executions.kinds.calling import ServiceCaller
from gateway.executions.kinds.service import ServiceKind
from gateway.executions.ports import Once
from gateway.outbound.answer import Answer
from tests.fakes.clock import FakeClock
from tests.fakes.upstream import FakeDirectory, FakeHttp, json_answer


def call(**config: Any) -> NodeCall:
    return NodeCall("e1", "f1", "fetch", "service", {"service": "prices", "path": "/today", **config}, {}, {})


@pytest.fixture
def http() -> FakeHttp:
    return FakeHttp()


@pytest.fixture
def kind(http: FakeHttp) -> ServiceKind:
    directory = FakeDirectory()
    directory.add("prices", 9000)
    return ServiceKind(directory, ServiceCaller(directory, http, FakeClock(), Once()), FakeClock())


def test_posts_by_default_under_the_key_of_its_node(kind: ServiceKind, http: FakeHttp) -> None:
    http.answers = [json_answer({"close": 12.5})]
    output = kind(call(body={"day": 1}))
    sent = http.sent[0]
    assert (sent.method, sent.url, sent.body, sent.timeout_seconds) == ("POST", "http://127.0.0.1:9000/today", b'{"day":1}', 10.0)
    assert sent.headers["Idempotency-Key"] == "e1:fetch"
    assert output["status"] == 200
    assert output["body"] == {"close": 12.5}
    assert output["headers"]["content-type"] == "application/json"


def test_query_headers_method_and_timeout_come_from_the_config(kind: ServiceKind, http: FakeHttp) -> None:
    kind(call(method="get", path="/a b?x=1", query={"day": 1, "tags": ["p", "q"], "full": True}, headers={"X-Day": 7}, timeoutMs=250))
    sent = http.sent[0]
    assert sent.url == "http://127.0.0.1:9000/a%20b?x=1&day=1&tags=p&tags=q&full=true"
    assert (sent.method, sent.headers["X-Day"], sent.timeout_seconds, sent.body) == ("GET", "7", 0.25, None)


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (Answer(200, {"content-type": "text/plain"}, b"{}"), "{}"),
        (Answer(200, {"content-type": "application/problem+json"}, b'{"a":1}'), {"a": 1}),
        (Answer(200, {"content-type": "application/json"}, b"{broken"), "{broken"),
        (
            Answer(200, {"content-type": "application/json"}, rb'{"\udc00": ["\ud800", "\uD83D\uDE00"]}'),
            {"\ufffd": ["\ufffd", "\U0001f600"]},
        ),
        (Answer(200, {"content-type": "application/json"}, b'"\xed\xa0\x80"'), '"\ufffd\ufffd\ufffd"'),
        (Answer(204, {}, b""), None),
    ],
)
def test_the_body_is_parsed_when_it_is_json(kind: ServiceKind, http: FakeHttp, answer: Answer, body: Any) -> None:
    http.answers = [answer]
    assert kind(call())["body"] == body


@pytest.mark.parametrize("expect", [[404], 404, "404", ["200..299", "400..404"], "4xx"])
def test_expect_widens_what_counts_as_success(kind: ServiceKind, http: FakeHttp, expect: Any) -> None:
    http.answers = [json_answer({"missing": True}, status=404)]
    assert kind(call(expect=expect))["status"] == 404


def test_an_unexpected_status_is_not_retried(kind: ServiceKind, http: FakeHttp) -> None:
    http.answers = [json_answer({}, status=404)]
    with pytest.raises(AnswerUnexpected) as raised:
        kind(call())
    assert not raised.value.retryable


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_an_overloaded_service_is_retried_after_what_it_asks_for(kind: ServiceKind, http: FakeHttp, status: int) -> None:
    http.answers = [json_answer({}, status=status, Retry_After="7")]
    with pytest.raises(ServiceOverloaded) as raised:
        kind(call())
    assert raised.value.retryable
    assert raised.value.retry_after_seconds == 7


def test_nobody_of_this_name_may_be_back_soon(kind: ServiceKind) -> None:
    with pytest.raises(ServiceUndiscovered) as raised:
        kind(call(service="nobody"))
    assert raised.value.retryable
    assert raised.value.code == "SERVICE_DISCOVERY_ERROR"


@pytest.mark.parametrize(
    "config",
    [
        {"service": None},
        {"path": "today"},
        {"path": "/a/../today"},
        {"path": "/a/%2e./today"},
        {"path": "/./today?x=1"},
        {"query": ["x"]},
        {"method": "BREW"},
        {"headers": {"X-Day": "a\r\nX-Evil: 1"}},
        {"headers": {"Host": "evil.example"}},
        {"headers": "none"},
        {"query": {"a": {"b": 1}}},
        {"timeoutMs": 0},
        {"timeoutMs": True},
        {"timeoutMs": 10**9},
        {"expect": "ok"},
        {"expect": [99]},
    ],
)
def test_what_expressions_gave_is_checked_before_anything_is_sent(kind: ServiceKind, http: FakeHttp, config: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as raised:
        kind(call(**config))
    assert raised.value.errors
    assert http.sent == []


def test_a_path_never_names_another_host(kind: ServiceKind, http: FakeHttp) -> None:
    kind(call(path="//evil.example/x"))
    assert http.sent[0].url == "http://127.0.0.1:9000//evil.example/x"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("3", 3.0),
        ("999999999999", 3600.0),
        ("Thu, 01 Jan 2026 00:00:30 GMT", 30.0),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0.0),
        ("Thu, 01 Jan 2026 00:00:00 +99999999999999999999", None),
        ("Thu, 01 Jan 99999999999999999999 00:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header, datetime(2026, 1, 1, tzinfo=UTC)) == seconds
