"""weaviate-client, bounded: its HTTP and gRPC calls share one deadline, its retries are off, errors come out as ours.

Imported when first used.
"""

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from config.databases import WeaviateSettings
from gateway.databases.bounded_http import TooLate
from gateway.databases.collecting import RowCollector
from gateway.databases.connections import Slots
from gateway.databases.deadline import cut_off_after
from gateway.databases.documents import as_table
from gateway.databases.errors import DatabaseTimeout, StatementInvalid
from gateway.databases.limits import POOL_WAIT_SECONDS
from gateway.databases.model import PoolStats, ResultSet
from gateway.databases.weaviate_client import ExpectedStatusCodes, health
from gateway.databases.weaviate_errors import NAME, TRANSLATED, NotServing, translate
from gateway.databases.weaviate_session import Session
from gateway.databases.weaviate_waiting import begin, without_retry


class Driver:
    """One session for one process, and another after a silence; many threads use it at once, as many as it has connections."""

    def __init__(self, host: str, settings: WeaviateSettings) -> None:
        logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells each request, and the poller asks every few seconds
        self._slots = Slots(settings.pool_size, POOL_WAIT_SECONDS)
        self._open_session = partial(Session, host, settings)
        self._lock = threading.Lock()
        self._session = self._open_session()

    @contextmanager
    def client(self, timeout_seconds: float) -> Iterator[Any]:
        """The connected client. Connecting and all that the block waits for end, together, after `timeout_seconds`.

        Raises:
            DatabaseError: any of its subclasses, never a vendor exception.
        """
        wire = begin(timeout_seconds)
        try:
            with self._slots.one(timeout_seconds), self._using() as session, cut_off_after(timeout_seconds, wire.cut) as cut:
                try:
                    yield session.connected()
                except TRANSLATED as error:
                    failure = translate(TooLate()) if cut.fired else translate(error)
                    if isinstance(failure, DatabaseTimeout):
                        self._leave(session)
                    raise failure from error
        except TRANSLATED as error:
            raise translate(error) from error

    def version(self, timeout_seconds: float) -> str:
        """Asks at both doors: REST is ready, and the gRPC health check says SERVING."""
        with self.client(timeout_seconds) as client:
            connection = client._connection
            ready = ExpectedStatusCodes(ok_in=[200], error="ready")
            connection.get(path="/.well-known/ready", error_msg="ready", status_codes=ready)
            self._check_grpc(connection)
            return str(connection.get_meta()["version"])

    def read(self, statement: str, parameters: Mapping[str, Any], *, timeout_seconds: float, max_rows: int) -> ResultSet:
        body = {"query": statement, "variables": dict(parameters)}
        with self.client(timeout_seconds) as client:
            # The client's graphql_raw_query sends no variables, and pasting them in is what binding is there to avoid.
            answer = client._connection.post(
                path="/graphql",
                weaviate_object=body,
                error_msg="query",
                status_codes=ExpectedStatusCodes(ok_in=[200], error="query"),
                is_gql_query=True,
            ).json()
        if answer.get("errors"):
            raise StatementInvalid(NAME, "Weaviate refuses the query")
        return _as_result(answer.get("data") or {}, max_rows)

    def pool_stats(self) -> PoolStats:
        return self._slots.stats(self._session.idle())

    def close(self) -> None:
        self._session.close()

    @contextmanager
    def _using(self) -> Iterator[Session]:
        """The session for one caller. Whoever comes out last of one that was left closes it."""
        with self._lock:
            session = self._session
            session.users += 1
        try:
            yield session
        finally:
            with self._lock:
                session.users -= 1
                is_over = session is not self._session and session.users == 0
            if is_over:
                session.close()

    def _leave(self, session: Session) -> None:
        """Let the calls to come open connections of their own: after a silence nobody knows whether these still lead anywhere.

        gRPC would go on with the connection that it has for as long as the kernel sends it again, a quarter of an hour.
        """
        with self._lock:
            if session is self._session:
                self._session = self._open_session()

    @staticmethod
    def _check_grpc(connection: Any) -> None:
        check = connection._grpc_channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health.WeaviateHealthCheckRequest.SerializeToString,
            response_deserializer=health.WeaviateHealthCheckResponse.FromString,
        )
        answer = without_retry(check)(health.WeaviateHealthCheckRequest(), metadata=connection.grpc_headers())
        if answer.status != health.WeaviateHealthCheckResponse.SERVING:
            raise NotServing


def _as_result(data: Mapping[str, Any], max_rows: int) -> ResultSet:
    """One list of objects as a table; of several, each object with the path of its list."""
    lists = [(path, items) for path, items in _lists(data) if items]
    if len(lists) == 1:
        columns, rows = as_table(lists[0][1])
    else:
        columns, rows = ("path", "value"), [(path, item) for path, items in lists for item in items]
    collector = RowCollector(NAME, max_rows)
    for row in rows:
        if not collector.add(row):
            break
    return collector.result(columns)


def _lists(data: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    for root, value in data.items():
        if isinstance(value, list):
            yield root, value
        else:
            yield from ((f"{root}.{name}", items or []) for name, items in (value or {}).items())
