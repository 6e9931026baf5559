"""Weaviate by weaviate-client v4, over REST and gRPC: error patterns by meaning.

The client costs 0.45 s and 36 MB to import (decision 9): a process that never uses Weaviate never pays.
Source: https://docs.weaviate.io/weaviate/api/graphql , weaviate-client 4 (connect/v4.py).
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from config.databases import WeaviateSettings
from gateway.databases.driven import Driven
from gateway.databases.errors import DatabaseDisabled
from gateway.databases.graphql_text import refuse_all_but_reading
from gateway.databases.model import DatabaseName, ResultSet, Role

if TYPE_CHECKING:
    from gateway.databases.weaviate_driver import Driver


class Weaviate(Driven[WeaviateSettings, "Driver"]):
    """One client of Weaviate ≥ 1.27, connected when first used and never shared across a fork."""

    name = DatabaseName.WEAVIATE
    engine = "Weaviate"
    role = Role.VECTOR

    @property
    def configured(self) -> bool:
        return self._settings.host is not None

    def query(self, statement: str, parameters: Mapping[str, Any], *, timeout_seconds: float, max_rows: int) -> ResultSet:
        """Run one GraphQL query of Get, Aggregate or Explore. Parameters are its variables, `query($name: Type) {…}`, bound by the server.

        Raises:
            StatementRefused: another operation, a fragment, or another field at the top.
        """
        refuse_all_but_reading(self.name, statement)
        return self._driver.get().read(statement, parameters, timeout_seconds=timeout_seconds, max_rows=max_rows)

    @contextmanager
    def commands(self, timeout_seconds: float | None = None) -> Iterator[Any]:
        """The driver's connected `weaviate.WeaviateClient`, for adapters of this house: no retries, one deadline over the whole block.

        Raises:
            DatabaseError: any of its subclasses, never a vendor exception.
        """
        with self._guard(self.name), self._driver.get().client(min(timeout_seconds or math.inf, self.limit_seconds)) as client:
            yield client

    def _build_driver(self) -> "Driver":
        if self._settings.host is None:
            raise DatabaseDisabled("Weaviate is not configured; set WEAVIATE_HOST")
        from gateway.databases.weaviate_driver import Driver

        return Driver(self._settings.host, self._settings)
