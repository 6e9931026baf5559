"""The tokens of `GATEWAY_TOKENS`: parsed once, kept as SHA-256 digests, compared in constant time."""

import hashlib
import hmac
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from config.settings import SettingsError
from gateway.recovery.model import RECOVERY

VARIABLE = "GATEWAY_TOKENS"
ANONYMOUS = "anonymous"  # what a caller without a token is called in logs, rows and limits
TAKEN_NAMES = {ANONYMOUS: "callers without a token", RECOVERY: "the gateway's own recoveries"}
NAME_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,64}")
MIN_TOKEN_LENGTH = 16


class Scope(StrEnum):
    """The scopes a token can hold, as `GATEWAY_TOKENS` writes them."""

    READ = "read"
    FLOWS_WRITE = "flows:write"
    FLOWS_EXECUTE = "flows:execute"
    DATABASES_QUERY = "databases:query"
    METRICS = "metrics"
    ADMIN = "admin"


ALL_SCOPES = frozenset(scope.value for scope in Scope)


@dataclass(frozen=True)
class TokenEntry:
    """One token: its name for logs and limits, its digest, and what it may do."""

    name: str
    digest: bytes
    scopes: frozenset[str]


@dataclass(frozen=True)
class TokenBook:
    """Every token the gateway knows."""

    entries: tuple[TokenEntry, ...] = ()

    @classmethod
    def parse(cls, text: str | None) -> Self:
        """Read `name:token:scope|scope,…`.

        Raises:
            SettingsError: names the entry by its position, never by its token.
        """
        parts = [part.strip() for part in (text or "").split(",")]
        entries = tuple(_entry(part, position) for position, part in enumerate(parts, start=1) if part)
        names = [entry.name for entry in entries]
        if len(set(names)) < len(names):
            raise SettingsError(f"{VARIABLE}: two tokens have the same name")
        if len({entry.digest for entry in entries}) < len(entries):
            raise SettingsError(f"{VARIABLE}: two names have the same token")
        if text and not entries:
            raise SettingsError(f"{VARIABLE}: holds no token")
        return cls(entries)

    @property
    def is_empty(self) -> bool:
        """No token is configured: the gateway is open."""
        return not self.entries

    def find(self, token: str) -> TokenEntry | None:
        """The entry of this token, or None. Every digest is compared, so that time tells nothing."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        found = None
        for entry in self.entries:
            if hmac.compare_digest(entry.digest, digest):
                found = entry
        return found


def _entry(text: str, position: int) -> TokenEntry:
    where = f"{VARIABLE}: entry {position}"
    try:
        name, rest = text.split(":", 1)
        token, scope_text = rest.split(":", 1)
    except ValueError:
        raise SettingsError(f"{where} is not name:token:scope|scope") from None
    if not NAME_PATTERN.fullmatch(name):
        raise SettingsError(f"{where}: the name must be 1 to 64 of A-Z a-z 0-9 . _ -")
    if name in TAKEN_NAMES:
        raise SettingsError(f"{where}: the name {name} stands for {TAKEN_NAMES[name]}; give it another one")
    if len(token) < MIN_TOKEN_LENGTH:
        raise SettingsError(f"{where} ({name}): the token must have at least {MIN_TOKEN_LENGTH} characters")
    scopes = frozenset(scope.strip() for scope in scope_text.split("|") if scope.strip())
    unknown = sorted(scopes - ALL_SCOPES)
    if unknown or not scopes:
        problem = f"unknown scope {unknown[0]}" if unknown else "no scope"
        raise SettingsError(f"{where} ({name}): {problem}; known are {', '.join(sorted(ALL_SCOPES))}")
    return TokenEntry(name, hashlib.sha256(token.encode()).digest(), scopes)
