"""How values of six engines stand in JSON. The table for clients is in docs/databases.md; this is where it is made true.

| value                                        | in JSON                                              |
| integers beyond ±(2^53 - 1)                  | string of digits (RFC 8259 §6: doubles lose them)    |
| decimals                                     | string, as the engine writes it                      |
| NaN, infinities                              | "NaN", "Infinity", "-Infinity"                       |
| date, time, timestamp                        | RFC 3339 / ISO 8601 string                           |
| interval                                     | ISO 8601 duration of days and seconds, "P1DT2.5S"    |
| UUID, network address, range, enum, the rest | string, as the engine writes it                      |
| bytes (PostgreSQL's bytea)                   | {"base64": "…"}                                      |
| bytes of engines that know no text           | string when they are UTF-8, {"base64": "…"} when not |
"""

import base64
import datetime as dt
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

SAFE_INTEGER = 2**53 - 1
MAX_DEPTH = 100


def to_json(value: Any, depth: int = 0) -> Any:
    """The JSON form of a driver's value; always something `json.dumps(allow_nan=False)` takes."""
    if depth <= MAX_DEPTH and isinstance(value, Mapping):
        return {_key(key): to_json(item, depth + 1) for key, item in value.items()}
    if depth <= MAX_DEPTH and isinstance(value, list | tuple | set | frozenset):
        return [to_json(item, depth + 1) for item in value]
    return next((form(value) for kind, form in _FORMS if isinstance(value, kind)), None) if value is not None else None


def _text(value: str) -> str:
    """A lone surrogate cannot be sent as UTF-8; it becomes U+FFFD."""
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _key(key: Any) -> str:
    form = to_json(key)
    return form if isinstance(form, str) else str(form)


def _integer(value: int) -> int | str:
    return int(value) if -SAFE_INTEGER <= value <= SAFE_INTEGER else str(int(value))


def _float(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _bytes(value: bytes | bytearray | memoryview) -> Any:
    # psycopg2 hands bytea out as memoryview: always bytes. Redis hands out bytes for everything: mostly text.
    if not isinstance(value, memoryview):
        try:
            return bytes(value).decode()
        except UnicodeDecodeError:
            pass
    return {"base64": base64.b64encode(value).decode()}


def _moment(value: dt.date | dt.time | dt.timedelta) -> str:
    if not isinstance(value, dt.timedelta):
        text = value.isoformat()
        return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text
    seconds = f"{value.seconds}.{value.microseconds:06d}".rstrip("0").rstrip(".")
    return f"P{value.days}DT{seconds}S"


def _decimal(value: Decimal) -> str:
    return "NaN" if value.is_nan() else str(value)  # an infinity's own words are ours


# The first kind that fits: bool stands before int, datetime is a date.
_FORMS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (bool, bool),
    (str, lambda value: _text(str(value))),
    (int, _integer),
    (float, _float),
    ((bytes, bytearray, memoryview), _bytes),
    (Decimal, _decimal),
    ((dt.date, dt.time, dt.timedelta), _moment),
    (object, lambda value: _text(str(value))),
)
