import json
from typing import Any

import pytest

from gateway.errors import InvalidInput, UpstreamInvalid
from gateway.executions.errors import AnswerUnexpected, ServiceUndiscovered
from gateway.executions.kinds.call import NodeCall
from gateway.executions.kinds.calling import ServiceCaller
from gateway.executions.kinds.capability import CapabilityKind
from gateway.executions.kinds.transform import run_transform
from gateway.executions.ports import Once
from gateway.outbound.answer import Answer
from tests.fakes.clock import FakeClock
from tests.fakes.upstream import FakeDirectory, FakeHttp, json_answer


def call(node_type: str = "llm_prompt", **config: Any) -> NodeCall:
    return NodeCall("e1", "f1", "ask", node_type, config, {"fetch": {"n": 1}}, {"city": "Bonn"})


@pytest.fixture
def http() -> FakeHttp:
    return FakeHttp()


@pytest.fixture
def directory() -> FakeDirectory:
    return FakeDirectory()


@pytest.fixture
def kind(http: FakeHttp, directory: FakeDirectory) -> CapabilityKind:
    return CapabilityKind(directory, ServiceCaller(directory, http, FakeClock(), Once()), FakeClock())


@pytest.mark.parametrize("value", [None, 0, "text", [1, {"a": None}]])
def test_a_transform_gives_its_output(value: Any) -> None:
    assert run_transform(call("transform", output=value)) == value


def test_a_transform_without_output_is_invalid() -> None:
    with pytest.raises(InvalidInput):
        run_transform(call("transform"))


def test_a_foreign_type_goes_to_a_service_with_this_capability(kind: CapabilityKind, http: FakeHttp, directory: FakeDirectory) -> None:
    directory.add("models", 9001, "llm_prompt")
    http.answers = [json_answer({"answer": 42})]
    assert kind(call(model="small")) == {"answer": 42}
    sent = http.sent[0]
    assert (sent.method, sent.url) == ("POST", "http://127.0.0.1:9001/nodes/llm_prompt")
    assert sent.headers["Idempotency-Key"] == "e1:ask"
    assert json.loads(sent.body or b"") == {
        "executionId": "e1",
        "flowId": "f1",
        "nodeId": "ask",
        "type": "llm_prompt",
        "config": {"model": "small"},
        "inputs": {"fetch": {"n": 1}},
        "parameters": {"city": "Bonn"},
    }


def test_the_service_may_name_its_endpoint(kind: CapabilityKind, http: FakeHttp, directory: FakeDirectory) -> None:
    directory.add("models", 9001, "llm_prompt", nodeEndpoint="/run")
    kind(call())
    assert http.sent[0].url == "http://127.0.0.1:9001/run"


@pytest.mark.parametrize(("word", "path"), [("is it up?", "is%20it%20up%3F"), ("c#", "c%23"), ("ai/ask:now", "ai/ask:now")])
def test_a_type_that_is_any_word_stays_in_the_path(
    kind: CapabilityKind, http: FakeHttp, directory: FakeDirectory, word: str, path: str
) -> None:
    directory.add("models", 9001, word)
    kind(call(word))
    assert http.sent[0].url == f"http://127.0.0.1:9001/nodes/{path}"


@pytest.mark.parametrize("endpoint", ["run", "@evil.example/", 7])
def test_an_unusable_endpoint_is_refused(kind: CapabilityKind, http: FakeHttp, directory: FakeDirectory, endpoint: Any) -> None:
    directory.add("models", 9001, "llm_prompt", nodeEndpoint=endpoint)
    with pytest.raises(InvalidInput):
        kind(call())
    assert http.sent == []


def test_nobody_with_this_capability_may_be_back_soon(kind: CapabilityKind) -> None:
    with pytest.raises(ServiceUndiscovered) as raised:
        kind(call())
    assert raised.value.retryable
    assert raised.value.target == "capability:llm_prompt"


def test_its_answer_must_be_json(kind: CapabilityKind, http: FakeHttp, directory: FakeDirectory) -> None:
    directory.add("models", 9001, "llm_prompt")
    http.answers = [Answer(200, {"content-type": "text/plain"}, b"fine")]
    with pytest.raises(UpstreamInvalid):
        kind(call())


def test_a_refusal_ends_the_node(kind: CapabilityKind, http: FakeHttp, directory: FakeDirectory) -> None:
    directory.add("models", 9001, "llm_prompt")
    http.answers = [json_answer({}, status=422)]
    with pytest.raises(AnswerUnexpected):
        kind(call())
