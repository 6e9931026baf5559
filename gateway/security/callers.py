"""Who is calling: found once for each request, before anything else looks at it."""

from dataclasses import dataclass
from ipaddress import ip_address

from flask import Flask, g, request

from gateway.security.tokens import ALL_SCOPES, ANONYMOUS, TokenBook

MAX_TENANT_LENGTH = 64


@dataclass(frozen=True)
class Caller:
    """A known caller: the name of its token and the scopes it holds."""

    name: str
    scopes: frozenset[str]


def install_callers(app: Flask, tokens: TokenBook) -> None:
    """Find the caller of every request. Without tokens the gateway is open (and binds loopback only): anyone holds every scope."""
    anyone = Caller(ANONYMOUS, ALL_SCOPES)

    @app.before_request
    def identify() -> None:
        g.caller = anyone if tokens.is_empty else _known(tokens)


def _known(tokens: TokenBook) -> Caller | None:
    token = presented_token()
    entry = tokens.find(token) if token else None
    return Caller(entry.name, entry.scopes) if entry else None


def presented_token() -> str | None:
    """The credential of the request: `Authorization: Bearer …` (RFC 6750) or `X-API-Key`; None without one."""
    scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credential.strip():
        return credential.strip()
    return request.headers.get("X-API-Key") or None


def current_caller() -> Caller | None:
    """The caller of this request; None when it presented no credential, or an unknown one."""
    caller: Caller | None = g.get("caller")
    return caller


def caller_name() -> str:
    """The caller's name for logs and rows; `anonymous` without a known credential."""
    caller = current_caller()
    return caller.name if caller else ANONYMOUS


def client_key() -> str:
    """By what the rate limit counts: the token's name, or the address for callers without one."""
    caller = current_caller()
    if caller is None or caller.name == ANONYMOUS:
        return f"ip:{request.remote_addr or 'unknown'}"
    return f"token:{caller.name}"


def current_tenant() -> str | None:
    """The tenant the caller speaks for, as `X-Tenant-ID` says; None without a usable one."""
    tenant = request.headers.get("X-Tenant-ID", "")
    return tenant if tenant.isascii() and tenant.isprintable() and 0 < len(tenant) <= MAX_TENANT_LENGTH else None


def calls_from_loopback(*, trusted_proxies: int) -> bool:
    """Whether the peer is this machine itself, and not a proxy on it that speaks for somebody else."""
    forwarded = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    if forwarded and trusted_proxies == 0:
        return False
    try:
        return ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False
