"""Numbers with and without decimals, joined: to JSON 60 and 60.0 are one number, to CEL's arithmetic they are two types.

Without this a flow would break on the day a price is a round number. An expression that fails because it mixes the two is run once
more with every number as a decimal one; what comes out whole is whole again. Integers beyond 2^53 lose digits only when they are mixed.
"""

from typing import Any

from gateway.flows.tokens import read_tokens

EXACT = 2**53


def with_decimals(text: str) -> str:
    """The same expression with `2` written as `2.0`, but for an index or key in brackets, which stays whole."""
    words: list[str] = []
    for token in read_tokens(text):
        whole = token.kind == "number" and token.text.isdigit()
        words.append(f"{token.text}.0" if whole and words[-1:] != ["["] else token.text)
    return " ".join(words)


def as_decimals(value: Any) -> Any:
    """The same JSON with every number as a float."""
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, dict):
        return {key: as_decimals(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_decimals(item) for item in value]
    return value


def as_whole(value: Any) -> Any:
    """The same JSON with every float that is whole and exact as an integer."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT:
        return int(value)
    if isinstance(value, dict):
        return {key: as_whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_whole(item) for item in value]
    return value
