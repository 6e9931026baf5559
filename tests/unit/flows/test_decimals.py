"""Numbers with and without decimals mix in an expression as they do in JSON."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.flows.errors import ExpressionFailed
from gateway.flows.expressions import compile_expression

NUMBERS = st.one_of(st.integers(-(2**40), 2**40), st.floats(-1e9, 1e9, allow_nan=False))


def value_of(text: str, **parameters: Any) -> Any:
    return compile_expression(text).evaluate({"parameters": parameters})


@pytest.mark.parametrize("amount", [60, 60.0, 60.5])
@pytest.mark.parametrize(
    "text", ["parameters.amount * 2", "parameters.amount * 2.0", "2 * parameters.amount", "parameters.amount + parameters.amount"]
)
def test_a_round_number_changes_nothing(text: str, amount: float) -> None:
    assert value_of(text, amount=amount) == amount * 2


@pytest.mark.parametrize(
    ("text", "parameters", "expected"),
    [
        ("parameters.items[1] * 1.5", {"items": [1, 2]}, 3),
        ("parameters.items.map(p, p * 2)", {"items": [1, 2.5]}, [2, 5]),
        ("parameters.a / 4 + 0.5", {"a": 2}, 1),  # all of it is run with decimals, once anything is
        ("parameters.a / 4", {"a": 7}, 1),  # CEL's own division of integers stays, while nothing is mixed
        ("{'sum': parameters.a + parameters.b, 'name': 'x'}", {"a": 1, "b": 0.5}, {"sum": 1.5, "name": "x"}),
        ("-parameters.a + 1", {"a": 0.25}, 0.75),
        ("parameters.big + 1", {"big": 2**60}, 2**60 + 1),
    ],
)
def test_mixed_numbers(text: str, parameters: dict[str, Any], expected: object) -> None:
    assert value_of(text, **parameters) == expected


def test_a_whole_result_is_whole() -> None:
    assert isinstance(value_of("parameters.a * 2.0", a=3), int)


@pytest.mark.parametrize("text", ["parameters.a + 'x'", "parameters.a + parameters.list", "parameters.a * true"])
def test_what_does_not_go_together_still_does_not(text: str) -> None:
    with pytest.raises(ExpressionFailed, match="types that do not go together"):
        value_of(text, a=1, list=[1])


@given(NUMBERS, NUMBERS)
def test_the_order_and_the_way_of_writing_do_not_matter(a: float, b: float) -> None:
    assert value_of("parameters.a + parameters.b", a=a, b=b) == pytest.approx(a + b)
    assert value_of("parameters.a * parameters.b", a=float(a), b=float(b)) == pytest.approx(a * b)
