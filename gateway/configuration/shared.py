"""Copies that all processes share: what one of them was told is fresh for the others too, by the Cache role.

The Cache never fails and never lets anybody wait for a dead server. What must not be written down (secrets) never goes there.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from config.groups import ConfigurationSettings
from gateway.caching.service import Cache
from gateway.clock import Clock
from gateway.configuration.memory import Copy, Kind

KEPT_SECONDS = 3600.0  # as last known good while PostgreSQL, which keeps it for good, is down too
MAX_CLOCK_SKEW_SECONDS = 1.0  # a copy from further in the future would look fresh for too long


@dataclass(frozen=True)
class SharedCopy:
    """A body and when the service gave it to whichever process asked."""

    body: Any
    fetched_at: datetime


class SharedCopies:
    """Keyed by what is asked of whom: who asks another service, or with other credentials, may be told otherwise."""

    def __init__(self, cache: Cache, settings: ConfigurationSettings, clock: Clock) -> None:
        self._cache = cache
        self._clock = clock
        secrets = (secret.get_secret_value() if secret else None for secret in (settings.token, settings.api_key))
        self._realm = _digest([settings.url, *secrets])

    def find(self, kind: Kind, key: str) -> SharedCopy | None:
        """The copy; None when there is none, or one that cannot be ours."""
        stored = self._cache.get(self._key(kind, key))
        copy = _read(stored) if stored else None
        return copy if copy and (copy.fetched_at - self._clock.now()).total_seconds() <= MAX_CLOCK_SKEW_SECONDS else None

    def put(self, copy: Copy) -> None:
        """Let the others have it."""
        value = json.dumps({"body": copy.body, "fetchedAt": copy.fetched_at.timestamp()}).encode()
        self._cache.set(self._key(copy.kind, copy.key), value, KEPT_SECONDS)

    def drop(self, kind: Kind, key: str) -> None:
        """It is gone, or must not be written down."""
        self._cache.delete(self._key(kind, key))

    def _key(self, kind: Kind, key: str) -> str:
        return f"configuration:{self._realm}:{kind}:{_digest(key)}"


def _read(stored: bytes) -> SharedCopy | None:
    """What `put` wrote; None for anything else, as a newer version of the gateway may write it."""
    try:
        document = json.loads(stored)
        return SharedCopy(document["body"], datetime.fromtimestamp(document["fetchedAt"], UTC))
    except (ValueError, KeyError, TypeError, OverflowError):
        return None


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:32]
