"""A pattern as a flow: as the contract says, and never an expression."""

import re
from datetime import UTC, datetime

from gateway.flows.parsing import parse_flow
from gateway.recovery.model import Action
from gateway.recovery.patterns.documents import document_of, flow_id_of
from gateway.recovery.patterns.evidence import evidence_of
from gateway.recovery.patterns.model import Outcome, Pattern, Suggestion, facts_of
from tests.fakes.patterns import fault

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SUGGESTED = Suggestion(Action.RETRY, "learned", 0.8, 25, automatic=True)


def pattern(text: str = "the cache is on fire", count: int = 3) -> Pattern:
    return Pattern(facts_of(fault(text)), count, NOW, NOW, (), 1)


def test_the_document_is_what_the_contract_says() -> None:
    one = pattern()
    tried = (Outcome(one.facts.fingerprint, Action.RETRY, evidence_of(success=True, duration_ms=100, at=NOW)),)
    document = document_of(one, tried, SUGGESTED)
    flow = parse_flow(document)
    assert flow.type == "custom"
    assert re.fullmatch(r"error-pattern-[0-9a-f]{16}", flow.id)
    assert one.facts.fingerprint in flow.name
    assert "error_pattern" in flow.tags
    assert (len(flow.nodes), len(flow.edges)) == (2, 1)
    assert document["nodes"][0]["config"]["count"] == 3
    assert document["nodes"][1]["config"]["actions"] == [{"action": "retry", "attempts": 1, "successes": 1, "medianMs": 105.0}]


def test_a_message_that_looks_like_an_expression_is_plain_text() -> None:
    document = document_of(pattern("expected ${parameters.x} and ${ broken"), (), SUGGESTED)
    parse_flow(document)
    assert "${" not in document["nodes"][0]["config"]["template"]


def test_the_same_pattern_makes_the_same_document() -> None:
    assert document_of(pattern(), (), SUGGESTED) == document_of(pattern(), (), SUGGESTED)


def test_ids_are_the_fingerprints_first_sixteen_digits() -> None:
    assert flow_id_of("v1-" + "0123456789abcdef" * 2) == "error-pattern-0123456789abcdef"
    assert re.fullmatch(r"error-pattern-[0-9a-f]{16}", flow_id_of("something else"))
