"""weaviate-client, bounded: its HTTP and gRPC calls share one deadline, its retries are off, errors come out as ours.

Imported when first used.
"""

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from config.databases import WeaviateSettings
from gateway.databases.bounded_http import TooLate
from gateway.databases.collecting import RowCollector
from gateway.databases.connections import Slots
from gateway.databases.deadline import cut_off_after
from gateway.databases.documents import as_table
from gateway.databases.error_rules import LATE, made
from gateway.databases.errors import StatementInvalid
from gateway.databases.limits import POOL_WAIT_SECONDS
from gateway.databases.model import PoolStats, ResultSet
from gateway.databases.weaviate_client import (
    AdditionalConfig,
    AuthApiKey,
    ConnectionParams,
    ExpectedStatusCodes,
    GrpcConfig,
    Timeout,
    WeaviateClient,
    health,
    httpx,
)
from gateway.databases.weaviate_errors import ENGINE, NAME, TRANSLATED, NotServing, translate
from gateway.databases.weaviate_waiting import CHANNEL_OPTIONS, BoundedStub, BoundedTransport, begin, left, without_retry


class Driver:
    """One client for one process; many threads use it at once, as many as it has connections."""

    def __init__(self, host: str, settings: WeaviateSettings) -> None:
        self._settings = settings
        logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells each request, and the poller asks every few seconds
        self._slots = Slots(settings.pool_size, POOL_WAIT_SECONDS)
        self._connecting = threading.Lock()
        self._transport: BoundedTransport | None = None
        self._client = WeaviateClient(
            connection_params=ConnectionParams.from_params(
                http_host=host,
                http_port=settings.port,
                http_secure=False,
                grpc_host=host,
                grpc_port=settings.grpc_port,
                grpc_secure=False,
            ),
            auth_client_secret=AuthApiKey(settings.api_key.get_secret_value()) if settings.api_key else None,
            additional_config=AdditionalConfig(
                timeout=Timeout(init=settings.timeout_seconds, query=settings.timeout_seconds, insert=settings.timeout_seconds),
                grpc_config=GrpcConfig(channel_options=CHANNEL_OPTIONS),
            ),
            skip_init_checks=True,  # they ask PyPI for a newer client; ping() checks both doors itself
        )
        connection: Any = self._client._connection
        connection._make_client = self._make_http_client  # the one way to bring our own HTTP

    @contextmanager
    def client(self, timeout_seconds: float) -> Iterator[Any]:
        """The connected client. Connecting and all that the block waits for end, together, after `timeout_seconds`.

        Raises:
            DatabaseError: any of its subclasses, never a vendor exception.
        """
        wire = begin(timeout_seconds)
        try:
            with self._slots.one(timeout_seconds), cut_off_after(timeout_seconds, wire.cut) as cut:
                try:
                    yield self._connected()
                except TRANSLATED as error:
                    raise (translate(TooLate()) if cut.fired else translate(error)) from error
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
        return self._slots.stats(self._transport.idle() if self._transport else 0)

    def close(self) -> None:
        self._client.close()

    def _connected(self) -> Any:
        if self._client.is_connected():
            return self._client
        if not self._connecting.acquire(timeout=left()):
            raise made(NAME, ENGINE, LATE, retry_after_seconds=2)
        try:
            if not self._client.is_connected():
                self._connect()
            return self._client
        finally:
            self._connecting.release()

    def _connect(self) -> None:
        try:
            self._client.connect()
        except BaseException:
            self._client.close()
            raise
        connection: Any = self._client._connection
        connection._grpc_stub = BoundedStub(connection._grpc_stub)

    def _make_http_client(self, _colour: str) -> httpx.Client:
        self._transport = BoundedTransport(self._settings.pool_size)
        return httpx.Client(headers=self._client._connection._headers, transport=self._transport, trust_env=False)

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
