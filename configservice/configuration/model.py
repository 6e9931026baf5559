"""Values of the configuration room. No I/O."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

GLOBAL = "global"  # the environment of the layer that everybody sees


@dataclass(frozen=True)
class Layer:
    """Where a value stands. '' means "no tenant" and "no user"; the environment `global` means "in every environment".

    A value is seen by whoever asks with the same tenant, user and environment, or with more. Of all values seen, a user's wins over a
    tenant's, a tenant's over an environment's, and that over the global one.
    """

    environment: str = GLOBAL
    tenant_id: str = ""
    user_id: str = ""


@dataclass(frozen=True)
class Content:
    """What is written. None for description, tags or is_secret keeps what the entry has."""

    value: Any
    type: str
    description: str | None = None
    tags: tuple[str, ...] | None = None
    is_secret: bool | None = None


@dataclass(frozen=True)
class Entry:
    """The newest content of a key in a layer."""

    id: str
    key: str
    layer: Layer
    version: int
    revision: int
    type: str
    value: Any
    is_secret: bool
    deleted: bool
    updated_at: datetime


@dataclass(frozen=True)
class Revision:
    """One version of an entry, as it was written."""

    version: int
    revision: int
    type: str
    value: Any
    description: str | None
    tags: tuple[str, ...]
    is_secret: bool
    deleted: bool
    restored_version: int | None
    created_at: datetime


@dataclass(frozen=True)
class Changes:
    """What changed after a revision: the newest revision, and the entries in the order of their last change."""

    revision: int
    entries: tuple[Entry, ...]
    more: bool = False


def type_of(value: Any) -> str:
    """The narrowest of the four types that holds the value."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return "string" if isinstance(value, str) else "json"


def fits(value: Any, kind: str) -> bool:
    """Whether the value is of the type; `json` holds anything."""
    return kind in ("json", type_of(value))
