"""The rate limit: so many requests in a window for each client, told in headers on every limited response.

Source: draft-ietf-httpapi-ratelimit-headers-11 (RateLimit-Policy, RateLimit), RFC 9110 §10.2.3 (Retry-After).
"""

import math
import time
from collections.abc import Callable
from typing import NoReturn

from flask import Flask, Response, request
from flask_limiter import Limiter, RequestLimit

from config.groups import EdgeSettings
from gateway.errors import RateLimited
from gateway.security.callers import client_key
from gateway.security.limiter_store import SCHEME

POLICY = "default"
NEVER_LIMITED = frozenset({"health.livez", "health.readyz", "health.health", "metrics.metrics"})
UNMATCHED = "unmatched"  # requests to unknown paths count too


def install_limits(app: Flask, edge: EdgeSettings, redis_url: str | None, on_lost: Callable[[], None]) -> Limiter:
    """Limit every request but health probes, metrics and preflights.

    Args:
        redis_url: where to count; None is this process's memory.
        on_lost: told when that server stops counting, which a request notices here first.
    """
    limiter = Limiter(
        key_func=client_key,
        application_limits=[f"{edge.rate_limit_requests} per {edge.rate_limit_window_seconds} second"],
        storage_uri=f"{SCHEME}://",
        storage_options={"redis_url": redis_url or "", "on_lost": on_lost},  # type: ignore[dict-item]  # passed on to our store as it is
        strategy="fixed-window",
        headers_enabled=False,
        request_identifier=lambda: request.endpoint or UNMATCHED,
        on_breach=_refuse,
    )
    limiter.request_filter(_is_never_limited)
    limiter.init_app(app)

    @app.after_request
    def tell(response: Response) -> Response:
        if limiter.current_limit is not None:
            _tell(response, limiter.current_limit)
        return response

    return limiter


def seconds_until_reset(limit: RequestLimit) -> int:
    """Whole seconds until the window ends; at least 1, so that a client never comes back too early."""
    return max(1, math.ceil(limit.window.reset_time - time.time()))


def _refuse(limit: RequestLimit) -> NoReturn:
    wait_seconds = seconds_until_reset(limit)
    amount, window_seconds = limit.limit.amount, limit.limit.get_expiry()
    raise RateLimited(f"More than {amount} requests in {window_seconds} s; try again in {wait_seconds} s", retry_after_seconds=wait_seconds)


def _tell(response: Response, limit: RequestLimit) -> None:
    response.headers["RateLimit-Policy"] = f'"{POLICY}";q={limit.limit.amount};w={limit.limit.get_expiry()}'
    response.headers["RateLimit"] = f'"{POLICY}";r={limit.remaining};t={seconds_until_reset(limit)}'


def _is_never_limited() -> bool:
    return request.endpoint in NEVER_LIMITED or request.method == "OPTIONS"
