"""Fingerprints: the same cause with other ids, hosts and values is the same; another cause is another."""

import random
import string
import uuid

import psycopg2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.configuration.errors import ConfigNotFound, FlowNotFound, ServiceNotFound
from gateway.databases.errors import DatabaseUnreachable, StatementInvalid, StatementRefused
from gateway.errors import Conflict, GatewayError, InvalidInput, MalformedInput, NotFound
from gateway.executions.errors import ExecutionNotFound
from gateway.flows.errors import ExpressionInvalid, FlowInvalid
from gateway.recovery.classify import classify
from gateway.recovery.fingerprint import TEMPLATE_LIMIT, mask, own_frames


@pytest.mark.parametrize(
    ("message", "template"),
    [
        ("Error 111 connecting to 10.0.0.7:6379. Connection refused.", "Error <number> connecting to <host>. Connection refused."),
        ("Error 111 connecting to cache-7.internal:6379. refused", "Error <number> connecting to <host>. refused"),
        ("Error 111 connecting to localhost:6379. refused", "Error <number> connecting to <host>. refused"),
        ("Error connecting to [fe80::1%eth0]:6379 failed", "Error connecting to <host> failed"),
        ("user 123e4567-e89b-12d3-a456-426614174000 is gone", "user <number> is gone"),
        ("object deadbeefcafe0042 at 0x7f3c2a10", "object <number> at <number>"),
        ('relation "orders_2024" does not exist\nLINE 1: SELECT * FROM orders_2024', "relation <quoted> does not exist"),
        ("Key (email)=(bob@example.org) already exists.", "Key (email)=<value> already exists."),
        ("lease ended 2026-01-02T03:04:05.678Z, waited -12.5 s", "lease ended <date>, waited <number>"),
        ("waited 12.5 s, 12 s, 1,200 seconds and 3ms", "waited <number>"),
        ("cannot open /var/lib/data/7/x.parquet: disk full", "cannot open <path>: disk full"),
        ("GET https://api.example.org/v1/x?token=abc failed", "GET <url> failed"),
        ("ids 1, 2, 3 and 4 are unknown", "ids <number> are unknown"),
        ("can't connect, server doesn't answer", "can't connect, server doesn't answer"),
        (
            "DB::Exception: Syntax error: failed at position 8 ('FRM') (line 1, col 8): FRM x. Expected one of: a",
            "DB::Exception: Syntax error: failed at position <number> (<quoted>)",
        ),
    ],
)
def test_masking(message: str, template: str) -> None:
    assert mask(message) == template


@given(st.text(max_size=2000))
def test_masking_survives_anything_and_stays_short(text: str) -> None:
    masked = mask(text)
    assert len(masked) <= TEMPLATE_LIMIT
    assert "\n" not in masked


@given(
    st.integers(min_value=0) | st.floats(0, 1e15), st.uuids(), st.ip_addresses(v=4), st.text(string.ascii_letters, min_size=1, max_size=30)
)
def test_what_varies_does_not_show(number: float, uid: uuid.UUID, address: object, name: str) -> None:
    template = "row {} of {} on {} said '{}'"
    assert mask(template.format(number, uid, address, name)) == mask(template.format(1, uuid.UUID(int=5), "192.168.0.1", "x"))


def test_own_frames_are_the_innermost_of_our_packages_without_lines() -> None:
    from gateway.recovery.breaker import BreakerOpen
    from gateway.recovery.registry import Breakers
    from tests.fakes.clock import FakeClock

    breaker = Breakers(FakeClock()).of("database:redis")
    breaker.force_open()
    with pytest.raises(BreakerOpen) as caught, breaker.guard():
        pass
    assert own_frames(caught.value.__traceback__) == ("gateway.recovery.breaker:guard", "gateway.recovery.breaker:permit")
    assert own_frames(None) == ()


def test_the_fingerprint_names_its_version_and_is_stable_over_runs() -> None:
    fault = classify(ValueError("row 17 is missing"))
    assert fault.fingerprint == "v1-" + fault.fingerprint.removeprefix("v1-")
    assert len(fault.fingerprint) == 35
    assert fault.fingerprint == classify(ValueError("row 99 is missing")).fingerprint
    assert fault.fingerprint != classify(ValueError("row 99 is locked")).fingerprint


def test_type_source_and_code_tell_causes_apart() -> None:
    def failed(database: str, code: str) -> str:
        return classify(DatabaseUnreachable(database, "x", vendor_code=code)).fingerprint

    assert len({failed("redis", "LOADING"), failed("redis", "OOM"), failed("dragonflydb", "OOM")}) == 3


def test_ten_causes_with_random_values_make_ten_fingerprints() -> None:
    dice = random.Random(7)
    causes = (
        'connection to server at "{host}" ({ip}), port {number} failed: Connection refused',
        'connection to server at "{host}" ({ip}), port {number} failed: timeout expired',
        'FATAL:  password authentication failed for user "{word}"',
        "FATAL:  sorry, too many clients already",
        'duplicate key value violates unique constraint "{word}"',
        "could not serialize access due to concurrent update",
        "deadlock detected\nDETAIL: Process {number} waits for ShareLock on transaction {number}",
        "server closed the connection unexpectedly",
        "canceling statement due to statement timeout",
        'could not extend file "base/{number}/{number}": No space left on device',
    )

    def values() -> dict[str, str]:
        return {
            "host": f"db-{dice.randrange(99)}.example.org",
            "ip": ".".join(str(dice.randrange(255)) for _ in range(4)),
            "number": str(dice.randrange(10**9)),
            "word": "".join(dice.choices(string.ascii_lowercase, k=8)),
        }

    seen = [{classify(psycopg2.OperationalError(cause.format(**values()))).fingerprint for _ in range(50)} for cause in causes]
    assert [len(prints) for prints in seen] == [1] * len(causes)
    assert len(set().union(*seen)) == len(causes)


CLIENTS_WORDS = ["nope", "a b", "it's", 'say "x', "x LINE 1: y", '{"message": "m"}', "12", "é" * 500, "", "a while processing b"]


@pytest.mark.parametrize(
    "kind",
    [
        *(InvalidInput, MalformedInput, NotFound, Conflict),
        *(FlowNotFound, ConfigNotFound, ServiceNotFound, ExecutionNotFound, FlowInvalid, ExpressionInvalid),
    ],
)
def test_what_a_client_writes_makes_no_new_fingerprint(kind: type[GatewayError]) -> None:
    assert len({classify(kind(f"There is no {words}, so {words!r}")).fingerprint for words in CLIENTS_WORDS}) == 1


def test_the_words_of_a_statement_make_no_new_fingerprint() -> None:
    refused = [StatementRefused("redis", f"No {words} here", vendor_code=words[:32]) for words in CLIENTS_WORDS]
    missing = [StatementInvalid("redis", f"The parameter {words} is missing") for words in CLIENTS_WORDS]
    assert len({classify(error).fingerprint for error in refused}) == 1
    assert len({classify(error).fingerprint for error in missing}) == 1
