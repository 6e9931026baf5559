"""ArangoDB by python-arango, over HTTP: the service graph.

Source: https://docs.arangodb.com/stable/develop/http-api/queries/aql-queries/ (explain, cursor, maxRuntime).
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from config.databases import ArangoSettings
from gateway.databases.driven import Driven
from gateway.databases.errors import DatabaseDisabled
from gateway.databases.model import DatabaseName, ResultSet, Role

if TYPE_CHECKING:
    from gateway.databases.arango_driver import Driver


class ArangoDB(Driven[ArangoSettings, "Driver"]):
    """One client of ArangoDB, built when first used and never shared across a fork."""

    name = DatabaseName.ARANGODB
    engine = "ArangoDB"
    role = Role.GRAPH

    @property
    def configured(self) -> bool:
        return self._settings.url is not None

    def query(self, statement: str, parameters: Mapping[str, Any], *, timeout_seconds: float, max_rows: int) -> ResultSet:
        """Run one AQL query whose explained plan modifies nothing. Parameters are AQL's bind variables: `@name`, `@@collection`.

        The server enforces maxRuntime and a memory limit, the socket enforces `timeout_seconds` over explaining and running together.

        Raises:
            StatementRefused: the plan has a modification node.
        """
        return self._driver.get().read(statement, parameters, timeout_seconds=timeout_seconds, max_rows=max_rows)

    @contextmanager
    def commands(self, timeout_seconds: float | None = None) -> Iterator[Any]:
        """The driver's `arango.database.StandardDatabase`, for adapters of this house, with one deadline over all its calls in the block.

        Raises:
            DatabaseError: any of its subclasses, never a vendor exception.
        """
        with self._guard(self.name), self._driver.get().database(min(timeout_seconds or math.inf, self.limit_seconds)) as database:
            yield database

    def _build_driver(self) -> "Driver":
        if self._settings.url is None:
            raise DatabaseDisabled("ArangoDB is not configured; set ARANGO_URL")
        from gateway.databases.arango_driver import Driver

        return Driver(self._settings.url, self._settings)
