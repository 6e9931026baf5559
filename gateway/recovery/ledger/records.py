"""Intents and healings as lines of the local spool. A line that another version wrote and this one cannot read is passed over."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import structlog

from gateway.recovery.ledger.model import Healing, Intent, Record
from gateway.recovery.model import Action, FlowOrigin

log = structlog.get_logger(__name__)


def to_line(record: Record) -> dict[str, Any]:
    """JSON values only; `kind` tells what it is."""
    values = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(record).items()}
    return {"kind": "intent" if isinstance(record, Intent) else "healing", **values}


def find_record(line: Mapping[str, Any]) -> Record | None:
    """What the line says; None, and logged, when it cannot be read."""
    try:
        return _read(dict(line))
    except (KeyError, TypeError, ValueError) as error:
        log.warning("recovery_record_unreadable", error=type(error).__name__)
        return None


def _read(values: dict[str, Any]) -> Record:
    if values.pop("kind") == "healing":
        return Healing(values["target"], datetime.fromisoformat(values["healed_at"]))
    origin = values.pop("origin")
    values["action"] = Action(values["action"])
    values["broken_since"] = datetime.fromisoformat(values["broken_since"])
    return Intent(**values, origin=FlowOrigin(**origin) if origin else None)
