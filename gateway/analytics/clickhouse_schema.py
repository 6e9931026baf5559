"""The gateway's tables in ClickHouse, made and evolved by the gateway. SQL that 18.16 and a current server both take.

A column that is new here is added to a table that exists; none is ever dropped. Days are partitions, so that old ones go at once.
`at_us` (microseconds since the epoch, UTC) carries the full time: DateTime64 is younger than the oldest server we work with.
"""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from gateway.analytics.model import Event, FaultEvent, RecoveryEvent, RequestEvent

TABLES: Mapping[type[Event], str] = {
    RequestEvent: "gateway_requests",
    FaultEvent: "gateway_faults",
    RecoveryEvent: "gateway_recoveries",
}
COLUMN_TYPES: Mapping[str, str] = {  # by the annotation of the event's field
    "str": "String",
    "str | None": "Nullable(String)",
    "int": "Int64",
    "float": "Float64",
    "bool": "UInt8",
}
TIME_COLUMNS = {"event_id": "UUID", "at": "DateTime", "at_us": "Int64"}


def columns_of(kind: type[Event]) -> dict[str, str]:
    """Column names and types of a kind of event, in their order."""
    own = {field.name: COLUMN_TYPES[_name(field.type)] for field in fields(kind) if field.name not in TIME_COLUMNS}
    return {**TIME_COLUMNS, **own}


def create_table(kind: type[Event]) -> str:
    """DDL of a table that does not exist yet."""
    columns = ", ".join(f"{name} {type_name}" for name, type_name in columns_of(kind).items())
    return (
        f"CREATE TABLE IF NOT EXISTS {TABLES[kind]} ({columns}) "
        "ENGINE = ReplacingMergeTree PARTITION BY toYYYYMMDD(at, 'UTC') ORDER BY (at_us, event_id)"
    )


def add_column(kind: type[Event], name: str) -> str:
    """DDL of a column that the table lacks."""
    return f"ALTER TABLE {TABLES[kind]} ADD COLUMN {name} {columns_of(kind)[name]}"


def to_values(kind: type[Event], row: Mapping[str, Any]) -> list[Any]:
    """A row as the driver inserts it."""
    at: datetime = row["at"]
    whole = {**row, "at": int(at.timestamp()), "at_us": microseconds(at)}
    return [whole[name] for name in columns_of(kind)]


def microseconds(at: datetime) -> int:
    """Since the epoch, exactly: a float has too few digits."""
    return int(at.replace(microsecond=0).timestamp()) * 1_000_000 + at.microsecond


def _name(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)
