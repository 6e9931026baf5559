"""What a kind is given, and the rules of calling a service that two kinds share."""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from gateway.errors import UpstreamInvalid
from gateway.executions.errors import AnswerUnexpected, ServiceOverloaded
from gateway.executions.model import MAX_NODE_OUTPUT_BYTES
from gateway.outbound.answer import Answer

OVERLOADED = frozenset({429, 502, 503, 504})
MAX_RETRY_AFTER_SECONDS = 3600.0
DEFAULT_TIMEOUT_MS = 10_000
# an answer is read up to this; its JSON form as a node's output is measured on its own
MAX_ANSWER_BYTES = MAX_NODE_OUTPUT_BYTES


def always() -> bool:
    """Of a call that nobody can take back."""
    return True


@dataclass(frozen=True)
class NodeCall:
    """One node to run: `config` is rendered, `inputs` are the outputs of the nodes before it by their ids.

    `may_repeat`: False where the flow says how often a node is tried: then each attempt is one call that reaches an instance.
    `is_wanted`: False once the node was cancelled or taken over; asked before anything is done again.
    """

    execution_id: str
    flow_id: str
    node_id: str
    type: str
    config: Mapping[str, Any]
    inputs: Mapping[str, Any]
    parameters: Mapping[str, Any]
    is_wanted: Callable[[], bool] = always
    may_repeat: bool = True

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt of this node: a service that knows it does the work once."""
        return f"{self.execution_id}:{self.node_id}"


Kind = Callable[[NodeCall], Any]
"""Runs one node and returns its output, any JSON value. Raises GatewayError."""


def check_status(answer: Answer, service: str, expected: Collection[int], now: datetime) -> None:
    """Accept an expected status.

    Raises:
        ServiceOverloaded: 429, 502, 503, 504: try again, after what it asked for.
        AnswerUnexpected: any other.
    """
    if answer.status in expected:
        return
    if answer.status in OVERLOADED:
        raise ServiceOverloaded(
            f"Service {service!r} answered {answer.status}",
            service=service,
            status=answer.status,
            retry_after_seconds=retry_after_seconds(answer.headers.get("retry-after"), now),
        )
    raise AnswerUnexpected(f"Service {service!r} answered {answer.status}", service=service, status=answer.status)


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """Seconds to wait by a Retry-After header: a number or an HTTP date (RFC 9110 §10.2.3), at most an hour; None when unreadable."""
    if not header:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), MAX_RETRY_AFTER_SECONDS)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(0.0, (moment - now).total_seconds()), MAX_RETRY_AFTER_SECONDS)


def body_of(answer: Answer) -> Any:
    """The body as JSON when it is JSON, as text otherwise, None when empty."""
    if not answer.body:
        return None
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type in {"", "application/json", "text/json"} or media_type.endswith("+json"):
        try:
            return answer.json()
        except UpstreamInvalid:
            return answer.body.decode("utf-8", errors="replace")
    return answer.body.decode("utf-8", errors="replace")


def json_bytes(value: Any) -> bytes:
    """A JSON body; a JSON null too, which the client would take for no body."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode()
