"""Who waits for a server of the cache that fails: the calls that failed in the thread that watches, not the probes aside."""

import threading
from typing import Any

import pytest

from gateway.caching.redis_protocol import RedisProtocolCache
from gateway.databases.errors import DatabaseError

CALLS = ("get", "get_many", "set", "delete_many", "increment")


def watch_failures(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the calls that failed in this thread, from now on."""
    failed: list[str] = []
    here = threading.get_ident()

    def watched(name: str) -> Any:
        real = getattr(RedisProtocolCache, name)

        def call(self: RedisProtocolCache, *arguments: Any) -> Any:
            try:
                return real(self, *arguments)
            except DatabaseError:
                if threading.get_ident() == here:
                    failed.append(name)
                raise

        return call

    for name in CALLS:
        monkeypatch.setattr(RedisProtocolCache, name, watched(name))
    return failed
