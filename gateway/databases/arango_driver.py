"""python-arango, bounded: our own HTTP below it, one deadline over the calls of a block, errors that come out as ours.

Imported when first used.
"""

import threading
import time
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import urllib3
from arango import exceptions as vendor
from arango.client import ArangoClient
from arango.http import HTTPClient
from arango.response import Response
from requests import Session

from config.databases import ArangoSettings
from gateway.databases.arango_errors import NAME, translate
from gateway.databases.bounded_http import BodyTooLarge, BoundedHttp, TooLate
from gateway.databases.collecting import RowCollector
from gateway.databases.connections import PoolExhausted
from gateway.databases.documents import as_table
from gateway.databases.errors import StatementRefused
from gateway.databases.limits import MAX_ANSWER_BYTES, POOL_WAIT_SECONDS
from gateway.databases.model import PoolStats, ResultSet

MODIFICATIONS = frozenset({"InsertNode", "UpdateNode", "ReplaceNode", "RemoveNode", "UpsertNode", "MultipleRemoteModificationNode"})
BATCH_ROWS = 100
QUERY_MEMORY_BYTES = 256 * 1024 * 1024
_thread = threading.local()


class BoundedArangoHttp(HTTPClient):
    """What python-arango sends its requests through. The deadline is the one of the block that the thread is in."""

    def __init__(self, http: BoundedHttp) -> None:
        self._http = http

    def create_session(self, host: str) -> Session:  # noqa: ARG002 - python-arango's signature
        """A session that python-arango wants to hand back to us; connections are pooled below, and it opens none."""
        return Session()

    def send_request(  # noqa: PLR0917 - python-arango's signature
        self,
        session: Session,  # noqa: ARG002 - the same
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        params: MutableMapping[str, str] | None = None,
        data: str | bytes | None = None,
        auth: tuple[str, str] | None = None,
    ) -> Response:
        """One request, as python-arango asks for it. Raises what BoundedHttp does; python-arango lets that pass."""
        answer = self._http.send(
            method.upper(),
            f"{url}?{urlencode(params)}" if params else url,
            headers={**(headers or {}), **(urllib3.make_headers(basic_auth=":".join(auth)) if auth else {})},
            body=data.encode() if isinstance(data, str) else data,
            deadline=_thread.deadline,
            max_bytes=2 * MAX_ANSWER_BYTES,
        )
        return Response(
            method=method, url=url, headers=dict(answer.headers), status_code=answer.status, status_text=answer.reason, raw_body=answer.body
        )


class Driver:
    """One client and its connections, for one process."""

    def __init__(self, url: str, settings: ArangoSettings) -> None:
        self._http = BoundedHttp(limit=settings.pool_size, wait_seconds=POOL_WAIT_SECONDS)
        client = ArangoClient(hosts=url, resolver_max_tries=1, http_client=BoundedArangoHttp(self._http))
        password = settings.password.get_secret_value() if settings.password else ""
        self._database = client.db(settings.database, username=settings.user, password=password)

    @contextmanager
    def database(self, timeout_seconds: float) -> Iterator[Any]:
        """The driver's database, all of whose calls in the block end, together, after `timeout_seconds`.

        Raises:
            DatabaseError: any of its subclasses, never a vendor exception.
        """
        _thread.deadline = time.monotonic() + timeout_seconds
        try:
            yield self._database
        except (vendor.ArangoError, urllib3.exceptions.HTTPError, TooLate, BodyTooLarge, PoolExhausted, OSError) as error:
            raise translate(error) from error

    def version(self, timeout_seconds: float) -> str:
        with self.database(timeout_seconds) as database:
            return str(database.version())

    def read(self, statement: str, parameters: Mapping[str, Any], *, timeout_seconds: float, max_rows: int) -> ResultSet:
        with self.database(timeout_seconds) as database:
            plan = database.aql.explain(statement, bind_vars=dict(parameters))
            if _modifies(plan):
                raise StatementRefused(NAME, "The query would write; only reads are run here")
            cursor = database.aql.execute(
                statement,
                bind_vars=dict(parameters),
                batch_size=min(BATCH_ROWS, max_rows + 1),
                stream=True,  # rows are made as they are fetched: an endless query costs no more than what is read of it
                max_runtime=timeout_seconds,
                memory_limit=QUERY_MEMORY_BYTES,
                fill_block_cache=False,
            )
            return self._collect(cursor, max_rows)

    def pool_stats(self) -> PoolStats:
        return self._http.stats()

    def close(self) -> None:
        self._http.close()

    @staticmethod
    def _collect(cursor: Any, max_rows: int) -> ResultSet:
        collector = RowCollector(NAME, max_rows)
        try:
            for item in cursor:
                if not collector.add((item,)):
                    break
        finally:
            if cursor.id is not None:
                cursor.close(ignore_missing=True)
        kept = collector.result(("value",))
        columns, rows = as_table([item for (item,) in kept.rows])
        return ResultSet(columns, tuple(rows), kept.truncated)


def _modifies(plan: Any) -> bool:
    """Whether any node of the plan, in a subquery or on another server too, writes."""
    pending = [plan]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            if item.get("type") in MODIFICATIONS or item.get("mode") in MODIFICATIONS:
                return True
            pending += item.values()
        elif isinstance(item, list):
            pending += item
    return False
