"""The JSON form of what engines return."""

import datetime as dt
import ipaddress
import json
import uuid
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.databases.encoding import to_json


class Colour(Enum):
    RED = 1


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (None, None),
        (True, True),
        (2**53 - 1, 2**53 - 1),
        (2**53, "9007199254740992"),
        (-(2**53), "-9007199254740992"),
        (18446744073709551615, "18446744073709551615"),
        (1.5, 1.5),
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
        (Decimal("1.50"), "1.50"),
        (Decimal("NaN"), "NaN"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.datetime(2026, 1, 2, 3, 4, 5, 600000, tzinfo=dt.UTC), "2026-01-02T03:04:05.600000Z"),
        (dt.datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05"),
        (dt.datetime(2026, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=2))), "2026-01-02T00:00:00+02:00"),
        (dt.time(3, 4), "03:04:00"),
        (dt.timedelta(days=1, seconds=2, microseconds=500000), "P1DT2.5S"),
        (dt.timedelta(0), "P0DT0S"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (b"text", "text"),
        (b"\xff\x00", {"base64": "/wA="}),
        (memoryview(b"text"), {"base64": "dGV4dA=="}),
        (ipaddress.ip_address("10.0.0.1"), "10.0.0.1"),
        (Colour.RED, "Colour.RED"),
        ((1, [b"a", {"k": 2**60}]), [1, ["a", {"k": "1152921504606846976"}]]),
        ({1: "a", b"b": None}, {"1": "a", "b": None}),
        ("lone \ud800", "lone \ufffd"),
    ],
)
def test_each_value_has_its_form(value: Any, form: Any) -> None:
    assert to_json(value) == form


def test_deep_nesting_is_cut_where_json_would_give_up() -> None:
    value: list[Any] = []
    for _ in range(300):
        value = [value]
    form, depth = to_json(value), 0
    while isinstance(form, list):
        form, depth = (form[0] if form else None), depth + 1
    assert depth == 101
    assert isinstance(form, str)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=[]))
    | st.binary()
    | st.decimals()
    | st.uuids()
    | st.datetimes()
    | st.timedeltas(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.binary() | st.integers(), inner),
)


@given(values)
def test_whatever_comes_can_be_sent(value: Any) -> None:
    sent = json.dumps(to_json(value), allow_nan=False).encode()
    assert json.loads(sent) == json.loads(json.dumps(to_json(value)))
    json.dumps(to_json(value), ensure_ascii=False).encode()
