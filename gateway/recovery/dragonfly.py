"""Shared breakers in DragonflyDB: one hash, a field for each target, and a short-lived counter of probes for each half-open time.

How long an open one stays open is counted on the server's clock, so that machines whose clocks differ agree. No scripts: a write is a
transaction under WATCH, and a counter is SET NX and INCR together.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import structlog

from gateway.databases.errors import StatementConflict
from gateway.recovery.breaker_model import BreakerState
from gateway.recovery.model import Fault, FaultType
from gateway.recovery.ports import SharedBreaker

log = structlog.get_logger(__name__)

STATES_KEY = "breakers:states"
PROBES_KEY = "breakers:probes:"


class DragonflyBreakerStore:
    """Implements BreakerStore.

    Args:
        commands: gateway.databases.redis_protocol.RedisProtocol.unguarded_commands; the store must not stand behind a breaker it shares.
    """

    def __init__(self, commands: Callable[[], AbstractContextManager[Any]]) -> None:
        self._commands = commands

    def read(self) -> Mapping[str, SharedBreaker]:
        with self._commands() as client, client.pipeline(transaction=False) as batch:
            batch.time()
            batch.hgetall(STATES_KEY)
            time, fields = batch.execute()
        found = (_decoded(target.decode(), value, _milliseconds(time)) for target, value in fields.items())
        return {breaker.target: breaker for breaker in found if breaker}

    def write(self, breaker: SharedBreaker) -> bool:
        try:
            with self._commands() as client, client.pipeline(transaction=True) as transaction:
                transaction.watch(STATES_KEY)
                now_ms = _milliseconds(transaction.time())
                stored = transaction.hget(STATES_KEY, breaker.target)
                standing = _decoded(breaker.target, stored, now_ms) if stored else None
                if (standing.version if standing else 0) != breaker.version - 1:
                    return False
                transaction.multi()
                transaction.hset(STATES_KEY, breaker.target, _encoded(breaker, now_ms))
                transaction.execute()
        except StatementConflict:  # somebody wrote meanwhile, to whatever target
            return False
        return True

    def lease_probe(self, target: str, version: int, *, limit: int, seconds: float) -> bool:
        key = f"{PROBES_KEY}{target}:{version}"
        with self._commands() as client, client.pipeline(transaction=True) as transaction:
            transaction.set(key, 0, px=max(1, round(seconds * 1000)), nx=True)
            transaction.incr(key)
            taken = int(transaction.execute()[1])
        return taken <= limit


def _milliseconds(time: tuple[int, int]) -> int:
    seconds, microseconds = time
    return int(seconds) * 1000 + int(microseconds) // 1000


def _encoded(breaker: SharedBreaker, now_ms: int) -> str:
    return json.dumps(
        {
            "state": breaker.state.value,
            "version": breaker.version,
            "untilMs": now_ms + round(breaker.remaining_seconds * 1000),
            "streak": breaker.streak,
            "decidedAtMs": breaker.decided_at_ms,
            "byOperator": breaker.by_operator,
            "blamed": _blame_encoded(breaker.blamed) if breaker.blamed else None,
        },
        separators=(",", ":"),
    )


def _decoded(target: str, value: bytes, now_ms: int) -> SharedBreaker | None:
    """None for what another version of the product, or somebody else, wrote: the next change replaces it."""
    try:
        fields = json.loads(value)
        return SharedBreaker(
            target=target,
            state=BreakerState(fields["state"]),
            version=int(fields["version"]),
            remaining_seconds=(int(fields["untilMs"]) - now_ms) / 1000,
            streak=int(fields["streak"]),
            decided_at_ms=int(fields["decidedAtMs"]),
            by_operator=bool(fields["byOperator"]),
            blamed=_blame_decoded(target, fields["blamed"]) if fields.get("blamed") else None,
        )
    except (ValueError, KeyError, TypeError):
        log.warning("shared_breaker_unreadable", target=target)
        return None


def _blame_encoded(fault: Fault) -> dict[str, object]:
    """What makes a fault that fault, all of it masked: never its message."""
    return {
        "type": fault.type.value,
        "retryable": fault.retryable,
        "source": fault.source,
        "fingerprint": fault.fingerprint,
        "errorClass": fault.error_class,
        "template": fault.template,
        "vendorCode": fault.vendor_code,
    }


def _blame_decoded(target: str, fields: Mapping[str, Any]) -> Fault:
    return Fault(
        type=FaultType(fields["type"]),
        retryable=bool(fields["retryable"]),
        source=str(fields["source"]),
        confidence=1.0,
        fingerprint=str(fields["fingerprint"]),
        error_class=str(fields["errorClass"]),
        detail="",
        template=str(fields["template"]),
        vendor_code=fields["vendorCode"],
        target=target,
    )
