"""How good a copy is, told in the envelope and in headers: Age (RFC 9111 §5.1), Cache-Status (RFC 9211), X-Fallback-Available."""

import hashlib
import json
import math
from typing import Any

import msgspec
from flask import Response, g

from gateway.api.answers import answer, conditional
from gateway.api.models.common import Fresh
from gateway.api.services import services
from gateway.configuration.model import Known, Source
from gateway.databases.model import DatabaseName, Status

CACHE_NAME = "api-gateway"
FALLBACK = {"X-Fallback-Available": "true"}
CONDITION = {"If-None-Match": "ETag of an earlier answer: 304 when nothing changed"}


def freshness_headers(known: Known[Any], fresh_seconds: float | None) -> dict[str, str]:
    """Headers of an answer made from `known`; `fresh_seconds`: how long a copy counts as fresh, None where none is kept."""
    headers = {"Age": str(math.floor(known.age_seconds)), "Cache-Status": f"{CACHE_NAME}; {_cache_status(known, fresh_seconds)}"}
    if known.stale:
        headers |= FALLBACK
    return headers


def is_stand_in(served_by: str, first: DatabaseName) -> bool:
    """Whether another than the first choice of a role answered, though that one is configured. From memory."""
    return served_by != first.value and services().poller.snapshot()[first].status is not Status.DISABLED


def fresh_answer(model: type[Fresh[Any]], data: Any, known: Known[Any], *, fresh_seconds: float | None, **members: Any) -> Response:
    """A 200 with its freshness and a weak ETag over the value; 304 when the client has it already (RFC 9110 §13.1.2).

    Args:
        model: the envelope, `Fresh[…]` or a page that derives from it.
        data: what goes under `data`, made from `known.value`.
        fresh_seconds: how long a copy counts as fresh; None where the service is asked each time.
        members: further members of that envelope.
    """
    g.served_from = str(known.source)
    body = model(data=data, stale=known.stale, age_seconds=round(known.age_seconds, 3), **members)
    response = answer(body, headers={**freshness_headers(known, fresh_seconds), "Cache-Control": "private, no-cache"})
    response.set_etag(_digest(body), weak=True)
    return conditional(response)


def _cache_status(known: Known[Any], fresh_seconds: float | None) -> str:
    if known.source is Source.SERVICE:
        return "fwd=bypass" if fresh_seconds is None else "fwd=miss; stored"
    ttl = math.floor((fresh_seconds or 0.0) - known.age_seconds)
    return f"hit; ttl={ttl}; detail={known.source}"


def _digest(body: Fresh[Any]) -> str:
    """Of everything but the age: the same value a second later is the same."""
    members = _without(msgspec.to_builtins(body), "ageSeconds")
    members["data"] = _without(members["data"], "ageSeconds", "source")
    return hashlib.sha256(json.dumps(members, sort_keys=True).encode()).hexdigest()[:32]


def _without(value: Any, *names: str) -> Any:
    return {name: item for name, item in value.items() if name not in names} if isinstance(value, dict) else value
