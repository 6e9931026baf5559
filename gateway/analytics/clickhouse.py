"""Events in ClickHouse: the first choice.

ClickHouse knows no unique keys, so a write first asks which of its events are there already (by time, its sorting key, then by id), and
does not begin while the insert of an earlier, cut-off write runs: the answer would not be final. What another process may have begun to
write before it was killed waits for every insert that runs. Each event arrives exactly once that way.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from gateway.analytics.clickhouse_schema import TABLES, add_column, columns_of, create_table, microseconds, to_values
from gateway.analytics.model import AnalyticsQuery, Dimension, Event, FaultCount, FaultEvent, RequestEvent, RequestRow
from gateway.analytics.rows import QUANTILES, by_kind, filters_of, to_group, to_row
from gateway.databases.clickhouse_statement import read_only_statement, with_literals
from gateway.databases.errors import DatabaseUnreachable, StatementConflict, StatementInvalid
from gateway.databases.limits import FALLBACK_AFTER_SECONDS

CUT_OFF_SHARE = 0.8  # of a write's deadline: what runs longer has lost its writer, or is about to
TYPES = {Dimension.STATUS: "Int64"}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ClickHouseEventStore:
    """Implements EventStore.

    Args:
        commands: gateway.databases.clickhouse.ClickHouse.commands: a connected client with a deadline and a limit of silence.
        write_seconds: deadline of one write. An insert of ours that runs longer was cut off by its writer.
    """

    name = "clickhouse"

    def __init__(
        self, commands: Callable[[float | None, float | None], AbstractContextManager[Any]], *, write_seconds: float = 5.0
    ) -> None:
        self._commands = commands
        self._write_seconds = write_seconds
        self._prepared = False

    def write(self, events: Sequence[Event], *, again: bool = False) -> None:
        """Raises, beside what the interface says, StatementConflict: `again`, while a write is under way that may be of these events."""
        try:
            with self._client(self._write_seconds) as client:
                for kind, group in by_kind(events).items():
                    self._refuse_while_unsettled(client, TABLES[kind], again=again)
                    self._write_kind(client, kind, group)
        except StatementInvalid:
            self._prepared = False  # what we say is well-formed: somebody took the tables, or a column, away
            raise

    def count_requests(self, query: AnalyticsQuery, *, failed_only: bool, limit: int) -> tuple[RequestRow, ...]:
        with self._client(silence_seconds=FALLBACK_AFTER_SECONDS) as client:
            rows = _read(client, _groups(query, failed_only, limit), _bounds(query))
        return tuple(to_group(query, _at(row[0]), row[1:-4], (*row[-4:-2], *row[-2], row[-1])) for row in rows)

    def count_faults(self, query: AnalyticsQuery, *, limit: int) -> tuple[FaultCount, ...]:
        conditions = _conditions(query, skip=Dimension.STATUS)
        statement = f"""
            SELECT fault_type, source, target, count() AS n, min(at_us), max(at_us) FROM {TABLES[FaultEvent]} WHERE {conditions}
            GROUP BY fault_type, source, target ORDER BY n DESC, fault_type, source, target NULLS FIRST LIMIT {limit:d}
        """  # noqa: S608 - our own names; what callers choose is bound
        with self._client(silence_seconds=FALLBACK_AFTER_SECONDS) as client:
            rows = _read(client, statement, _bounds(query))
        return tuple(FaultCount(row[0], row[1], row[2], row[3], _time(row[4]), _time(row[5])) for row in rows)

    def forget(self, before: datetime) -> int:
        """Whole days go, each at once."""
        day = before.astimezone(UTC).strftime("%Y%m%d")
        statement = """
            SELECT DISTINCT table, partition FROM system.parts
            WHERE active AND database = currentDatabase() AND has({tables:Array(String)}, table) AND partition < {day:String}
        """
        with self._client() as client:
            old = _read(client, statement, {"tables": list(TABLES.values()), "day": day})
            for table, partition in old:
                client.execute(f"ALTER TABLE {table} DROP PARTITION {int(partition)}")
        return 0

    def _write_kind(self, client: Any, kind: type[Event], events: Sequence[Event]) -> None:
        table = TABLES[kind]
        times = [microseconds(event.at) for event in events]
        statement = f"""
            SELECT event_id FROM {table} WHERE at_us >= {{low:Int64}} AND at_us <= {{high:Int64}}
            AND event_id IN (SELECT arrayJoin({{ids:Array(UUID)}}))
        """  # noqa: S608 - our own names
        parameters = {"low": min(times), "high": max(times), "ids": [event.event_id for event in events]}
        present = {row[0] for row in _read(client, statement, parameters)}
        new = {event.event_id: to_values(kind, to_row(event)) for event in events if UUID(event.event_id) not in present}
        if new:
            client.execute(f"INSERT INTO {table} ({', '.join(columns_of(kind))}) VALUES", list(new.values()))

    def _refuse_while_unsettled(self, client: Any, table: str, *, again: bool) -> None:
        statement = "SELECT count() FROM system.processes WHERE elapsed >= {age:Float64} AND startsWith(query, {insert:String})"
        age = 0.0 if again else self._write_seconds * CUT_OFF_SHARE
        ((running,),) = _read(client, statement, {"age": age, "insert": f"INSERT INTO {table} "})
        if running and again:  # mostly of a process that lives: no sign of a server that is unwell
            raise StatementConflict(self.name, "ClickHouse writes what may be the same events")
        if running:
            raise DatabaseUnreachable(self.name, "ClickHouse has not settled an earlier write", retry_after_seconds=5)

    def _client(self, timeout_seconds: float | None = None, silence_seconds: float | None = None) -> AbstractContextManager[Any]:
        if not self._prepared:
            with self._commands(None, silence_seconds) as client:
                _prepare(client)
            self._prepared = True
        return self._commands(timeout_seconds, silence_seconds)


def _prepare(client: Any) -> None:
    """Make the tables, and add the columns that an older version did not know. Harmless in many processes at once."""
    for kind, table in TABLES.items():
        client.execute(create_table(kind))
        statement = "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = {table:String}"
        present = {row[0] for row in _read(client, statement, {"table": table})}
        for name in columns_of(kind):
            if name not in present:
                client.execute(add_column(kind, name))


def _read(client: Any, statement: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    """One read of ours; parameters become typed literals, which every version of the server takes."""
    rows: list[tuple[Any, ...]] = client.execute(with_literals(read_only_statement(statement.strip()), parameters))
    return rows


def _groups(query: AnalyticsQuery, failed_only: bool, limit: int) -> str:
    keys = ["bucket", *(str(name) for name in query.group_by)]
    levels = ", ".join(str(quantile) for quantile in QUANTILES)
    bucket = "intDiv(at_us, {bucket_us:Int64}) * {bucket_us:Int64}" if query.bucket_seconds else "CAST(NULL AS Nullable(Int64))"
    conditions = _conditions(query) + (" AND (status >= 400 OR isNotNull(fault_type))" if failed_only else "")
    order = ", ".join(f"{key} NULLS FIRST" for key in keys)
    return f"""
        SELECT {bucket} AS {", ".join(keys)}, count() AS n, countIf(status >= 500), quantilesExact({levels})(duration_ms), sum(bytes_sent)
        FROM {TABLES[RequestEvent]} WHERE {conditions} GROUP BY {", ".join(keys)} HAVING n > 0 ORDER BY n DESC, {order} LIMIT {limit:d}
    """  # noqa: S608 - our own names; what callers choose is bound


def _conditions(query: AnalyticsQuery, skip: Dimension | None = None) -> str:
    filters = [f"{name} = {{{name}:{TYPES.get(name, 'String')}}}" for name in filters_of(query) if name is not skip]
    return " AND ".join(["at_us >= {since:Int64}", "at_us < {until:Int64}", *filters])


def _bounds(query: AnalyticsQuery) -> dict[str, Any]:
    return {
        "since": microseconds(query.since),
        "until": microseconds(query.until),
        "bucket_us": (query.bucket_seconds or 0) * 1_000_000,
        **{str(name): value for name, value in filters_of(query).items()},
    }


def _at(bucket_us: int | None) -> datetime | None:
    return None if bucket_us is None else _time(bucket_us)


def _time(at_us: int) -> datetime:
    return EPOCH + timedelta(microseconds=at_us)
