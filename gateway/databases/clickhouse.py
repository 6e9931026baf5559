"""ClickHouse by clickhouse-driver, over the native protocol: analytics.

Source: https://clickhouse.com/docs/operations/settings/query-complexity , https://clickhouse.com/docs/operations/settings/permissions-for-queries
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from config.databases import ClickHouseSettings
from gateway.databases.clickhouse_statement import read_only_statement
from gateway.databases.driven import Driven
from gateway.databases.errors import DatabaseDisabled
from gateway.databases.model import DatabaseName, ResultSet, Role

if TYPE_CHECKING:
    from gateway.databases.clickhouse_driver import Driver


class ClickHouse(Driven[ClickHouseSettings, "Driver"]):
    """One pool of connections to ClickHouse, opened when first used and never shared across a fork."""

    name = DatabaseName.CLICKHOUSE
    engine = "ClickHouse"
    role = Role.ANALYTICS

    @property
    def configured(self) -> bool:
        return self._settings.host is not None

    def connect(self) -> None:
        with self._driver.get().connection(self._settings.timeout_seconds):
            pass

    def query(self, statement: str, parameters: Mapping[str, Any], *, timeout_seconds: float, max_rows: int) -> ResultSet:
        """Run one SELECT, WITH, SHOW, DESCRIBE, EXISTS or EXPLAIN. Parameters as ClickHouse writes them: `{name:Type}`.

        The server enforces readonly=1, max_execution_time (whole seconds) and max_result_rows; the socket enforces `timeout_seconds`.

        Raises:
            StatementRefused: another kind of statement, or one that the server refuses to run read-only.
        """
        tokens = read_only_statement(statement)
        return self._driver.get().read(tokens, parameters, timeout_seconds=timeout_seconds, max_rows=max_rows)

    @contextmanager
    def commands(self, timeout_seconds: float | None = None, silence_seconds: float | None = None) -> Iterator[Any]:
        """A connected `clickhouse_driver.Client` of the pool, for adapters of this house, cut off after `timeout_seconds`.

        Args:
            silence_seconds: longest time without a word of the server, for what is better answered by another one than late.
        Raises:
            DatabaseError: any of its subclasses, never a vendor exception.
        """
        limit = timeout_seconds or self.limit_seconds
        with self._guard(self.name), self._driver.get().connection(limit, silence_seconds) as client:
            yield client

    def _build_driver(self) -> "Driver":
        if self._settings.host is None:
            raise DatabaseDisabled("ClickHouse is not configured; set CLICKHOUSE_HOST")
        from gateway.databases.clickhouse_driver import Driver

        return Driver(self._settings)
