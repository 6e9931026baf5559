"""One client of Weaviate with the connections it opened, HTTP and gRPC, which end together. Imported when first used."""

import threading
from typing import Any

from config.databases import WeaviateSettings
from gateway.databases.error_rules import LATE, made
from gateway.databases.weaviate_client import (
    AdditionalConfig,
    AuthApiKey,
    ConnectionParams,
    GrpcConfig,
    Timeout,
    WeaviateClient,
    httpx,
)
from gateway.databases.weaviate_errors import ENGINE, NAME
from gateway.databases.weaviate_waiting import CHANNEL_OPTIONS, BoundedStub, BoundedTransport, left


class Session:
    """Many threads use it at once, each within its deadline (`gateway.databases.weaviate_waiting.begin`).

    `users`: how many do, for whoever hands it out.
    """

    def __init__(self, host: str, settings: WeaviateSettings) -> None:
        self.users = 0
        self._pool_size = settings.pool_size
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

    def connected(self) -> Any:
        """The client, connected by the deadline of this thread.

        Raises:
            DatabaseTimeout: another thread was connecting until then. Or a vendor exception.
        """
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

    def idle(self) -> int:
        """HTTP connections that nobody uses."""
        return self._transport.idle() if self._transport else 0

    def close(self) -> None:
        self._client.close()

    def _connect(self) -> None:
        try:
            self._client.connect()
        except BaseException:
            self._client.close()
            raise
        connection: Any = self._client._connection
        connection._grpc_stub = BoundedStub(connection._grpc_stub)

    def _make_http_client(self, _colour: str) -> httpx.Client:
        self._transport = BoundedTransport(self._pool_size)
        return httpx.Client(headers=self._client._connection._headers, transport=self._transport, trust_env=False)
