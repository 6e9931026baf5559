"""Answers that cost much to compute and are given again for a few seconds, from the cache that all processes share.

Only what worked is kept. What the clients are told: Age (RFC 9111 §5.1), Cache-Status (RFC 9211), a weak ETag (RFC 9110 §8.8.3).
"""

import hashlib
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from flask import Response, g, request
from msgspec import Struct

from config.groups import CacheSettings
from gateway.api.answers import JSON, conditional, render
from gateway.api.freshness import CACHE_NAME, CONDITION, FALLBACK, is_stand_in
from gateway.api.services import services
from gateway.caching.model import LOADED, Cached
from gateway.databases.model import DatabaseName
from gateway.security.callers import current_caller, current_tenant

REQUEST_HEADERS = {
    **CONDITION,
    "Cache-Control": "`no-cache`: computed anew for this request; `no-store`: and not kept for others either",
}
SERVED_FROM = "cache"
SERVED_BY = re.compile(rb'"servedBy":"(\w+)"')  # as `render` writes it; within a value its quotes would be escaped


@dataclass(frozen=True)
class _Given:
    """A body, its age, and what the cache did for it: the parameters of Cache-Status."""

    body: bytes
    status: str
    age_seconds: float = 0.0
    stale: bool = False


def cached_answer(load: Callable[[], Struct], query: Struct | None = None, *, first: DatabaseName) -> Response:
    """A 200 with what `load` gave, now or a short while ago to anybody who may see the same; 304 when the client has it already.

    Of many who ask at once, one loads in each process. While nothing newer can be had, the answer of before is given for a longer while.

    Args:
        load: computes the answer. It depends on the path, `query` and the caller's scopes and tenant, and on nothing else of the request.
        query: the parameters as they were understood, so that ways of writing the same share an answer.
        first: who serves the role while all is well; an answer whose `servedBy` is another is marked as a fallback's.
    Raises:
        whatever `load` raises; nothing of it is kept.
    """
    given = _give(lambda: render(load()), _key(query), services().settings.cache)
    response = Response(given.body, mimetype=JSON)
    response.headers["Age"] = str(math.floor(given.age_seconds))
    response.headers["Cache-Status"] = f"{CACHE_NAME}; {given.status}"
    response.headers["Cache-Control"] = "private, no-cache"
    if given.stale or _is_by_stand_in(given.body, first):
        response.headers.update(FALLBACK)
    response.set_etag(hashlib.sha256(given.body).hexdigest()[:32], weak=True)
    return conditional(response)


def _is_by_stand_in(body: bytes, first: DatabaseName) -> bool:
    served_by = SERVED_BY.search(body)
    return served_by is not None and is_stand_in(served_by[1].decode(), first)


def _give(load: Callable[[], bytes], key: str, settings: CacheSettings) -> _Given:
    wish, fresh_seconds, stale_seconds = request.cache_control, settings.response_fresh_seconds, settings.response_stale_seconds
    if not fresh_seconds:
        return _Given(load(), "fwd=bypass")
    if "no-store" in wish:
        return _Given(load(), "fwd=request")
    if "no-cache" in wish or wish.max_age == 0:
        body = load()
        stored = services().cache.set(key, body, fresh_seconds, stale_seconds=stale_seconds)
        return _Given(body, "fwd=request" + _stored(stored))
    loads: list[str] = []

    def counted() -> bytes:
        loads.append(key)
        return load()

    cached = services().cache.get_or_load(key, counted, ttl_seconds=fresh_seconds, stale_seconds=stale_seconds)
    return _of(cached, fresh_seconds, loaded_here=bool(loads))


def _of(cached: Cached, fresh_seconds: float, *, loaded_here: bool) -> _Given:
    if cached.source == LOADED and loaded_here:
        return _Given(cached.value, "fwd=miss" + _stored(cached.stored))
    g.served_from = SERVED_FROM
    if cached.source == LOADED:  # by another thread, that was asked the same
        return _Given(cached.value, "fwd=miss; collapsed")
    ttl = math.floor(fresh_seconds - cached.age_seconds)
    return _Given(cached.value, f"hit; ttl={ttl}; detail={cached.source}", cached.age_seconds, cached.stale)


def _stored(stored: bool) -> str:
    return "; stored" if stored else ""


def _key(query: Struct | None) -> str:
    caller = current_caller()
    asked = [
        request.path,
        msgspec.to_builtins(query, enc_hook=str) if query else None,
        sorted(caller.scopes) if caller else None,
        current_tenant(),
    ]
    return "response:" + hashlib.sha256(json.dumps(asked).encode()).hexdigest()
