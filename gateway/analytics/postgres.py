"""Events in PostgreSQL: the store while ClickHouse is not configured, and its spool while it is down."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from gateway.analytics import tables
from gateway.analytics.model import AnalyticsQuery, Dimension, Event, FaultCount, FaultEvent, RecoveryEvent, RequestEvent, RequestRow
from gateway.analytics.rows import QUANTILES, by_kind, filters_of, to_group, to_row

FORGET_ROWS = 5000
TABLES: Mapping[type[Event], sa.Table] = {
    RequestEvent: tables.requests,
    FaultEvent: tables.faults,
    RecoveryEvent: tables.recoveries,
}
FAILED = sa.or_(tables.requests.c.status >= 400, tables.requests.c.fault_type.is_not(None))


class PostgresEventStore:
    """Implements EventStore and Backlog. `transaction` is gateway.databases.postgres.Postgres.transaction."""

    name = "postgres"

    def __init__(self, transaction: Callable[[], AbstractContextManager[sa.Connection]]) -> None:
        self._transaction = transaction

    def write(self, events: Sequence[Event], *, again: bool = False) -> None:  # noqa: ARG002 - the key tells
        with self._transaction() as connection:
            for kind, group in by_kind(events).items():
                statement = insert(TABLES[kind]).on_conflict_do_nothing(index_elements=["event_id"])
                connection.execute(statement, [to_row(event) for event in group])

    def count_requests(self, query: AnalyticsQuery, *, failed_only: bool, limit: int) -> tuple[RequestRow, ...]:
        with self._transaction() as connection:
            rows = connection.execute(_groups(query, failed_only, limit)).all()
        return tuple(to_group(query, row[0], row[1:-6], row[-6:]) for row in rows)

    def count_faults(self, query: AnalyticsQuery, *, limit: int) -> tuple[FaultCount, ...]:
        faults = tables.faults.c
        kind = (faults.fault_type, faults.source, faults.target)
        statement = (
            sa.select(*kind, sa.func.count().label("count"), sa.func.min(faults.at), sa.func.max(faults.at))
            .where(faults.at >= query.since, faults.at < query.until)
            .where(*(tables.faults.c[name] == value for name, value in filters_of(query).items() if name is not Dimension.STATUS))
            .group_by(*kind)
            .order_by(sa.desc("count"), *(_plain(column) for column in kind))
            .limit(limit)
        )
        with self._transaction() as connection:
            return tuple(FaultCount(*row) for row in connection.execute(statement))

    def forget(self, before: datetime) -> int:
        with self._transaction() as connection:
            return sum(connection.execute(_forget(table, before)).rowcount for table in TABLES.values())

    def hand_over(self, take: Callable[[Sequence[Event]], None], limit: int) -> int:
        """The rows stay locked while `take` runs; a process that dies meanwhile gives them back."""
        with self._transaction() as connection:
            events: list[Event] = []
            for kind, table in TABLES.items():
                rows = connection.execute(sa.select(table).order_by(table.c.at).limit(limit).with_for_update(skip_locked=True)).mappings()
                events += (kind(**row) for row in rows)
            if events:
                take(events)
            for kind, group in by_kind(events).items():
                ids = [event.event_id for event in group]
                connection.execute(sa.delete(TABLES[kind]).where(TABLES[kind].c.event_id.in_(ids)))
            return len(events)


def _groups(query: AnalyticsQuery, failed_only: bool, limit: int) -> sa.Select[Any]:
    """Two steps: gather each group's durations in order, then pick the quantiles by position."""
    requests = tables.requests.c
    keys = [_bucket(query).label("bucket_at"), *(requests[name].label(f"key_{name}") for name in query.group_by)]
    gathered = (
        sa.select(
            *keys,
            sa.func.count().label("count"),
            sa.func.count().filter(requests.status >= 500).label("errors"),
            sa.func.sum(requests.bytes_sent).label("bytes"),
            sa.func.array_agg(sa.text("duration_ms ORDER BY duration_ms"), type_=sa.ARRAY(sa.Float)).label("durations"),
        )
        .where(requests.at >= query.since, requests.at < query.until)
        .where(*(requests[name] == value for name, value in filters_of(query).items()))
        .where(FAILED if failed_only else sa.true())
        .group_by(*(sa.literal_column(str(number)) for number in range(1, len(keys) + 1)))
        .order_by(sa.desc("count"), sa.asc("bucket_at").nulls_first(), *(_plain(sa.column(f"key_{name}")) for name in query.group_by))
        .limit(limit)
        .subquery()
    )
    picked = [_quantile(gathered, quantile) for quantile in QUANTILES]
    return sa.select(*(gathered.c[key.name] for key in keys), gathered.c.count, gathered.c.errors, *picked, gathered.c.bytes)


def _quantile(gathered: sa.Subquery, quantile: float) -> sa.ColumnElement[float]:
    wanted = sa.literal(quantile, sa.Double) * sa.cast(gathered.c["count"], sa.Double)
    position = sa.func.least(sa.cast(sa.func.floor(wanted), sa.Integer) + 1, sa.cast(gathered.c["count"], sa.Integer))
    return gathered.c.durations[position]


def _bucket(query: AnalyticsQuery) -> sa.ColumnElement[datetime | None]:
    if query.bucket_seconds is None:
        return sa.cast(sa.null(), sa.DateTime(timezone=True))
    seconds = sa.literal(query.bucket_seconds, sa.BigInteger)
    number = sa.func.floor(sa.func.extract("epoch", tables.requests.c.at) / seconds)
    return sa.func.to_timestamp(number * seconds, type_=sa.DateTime(timezone=True))


def _plain(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Ascending by code point, "without" first: the same order in every engine and locale."""
    ordered = column.collate("C") if isinstance(column.type, sa.Text) else column
    return ordered.asc().nulls_first()


def _forget(table: sa.Table, before: datetime) -> sa.Delete:
    old = sa.select(table.c.event_id).where(table.c.at < before).limit(FORGET_ROWS).scalar_subquery()
    return sa.delete(table).where(table.c.event_id.in_(old))
