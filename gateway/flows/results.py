"""What an expression answers, as JSON."""

import base64
import math
from datetime import datetime, timedelta
from typing import Any

MAX_RESULT_DEPTH = 200


def to_json(value: Any, depth: int = 0) -> Any:
    """JSON of a CEL value: timestamps in RFC 3339, durations as `1.5s` (both as protobuf's JSON has them), bytes in base64.

    Raises:
        ValueError: a value that JSON lacks (not a number, infinity), or one nested deeper than `MAX_RESULT_DEPTH`.
    """
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return _finite(value)
    if depth >= MAX_RESULT_DEPTH:
        raise ValueError("nested too deep")
    if isinstance(value, dict):
        return {_key(key): to_json(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item, depth + 1) for item in value]
    return _text(value)


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("not a finite number")
    return value


def _key(key: object) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return str(key)


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return f"{value.total_seconds():.9f}".rstrip("0").rstrip(".") + "s"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    raise ValueError("not a JSON value")
