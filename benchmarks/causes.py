"""Sixty known causes of errors over the six drivers, each in its driver's own class and words, with random ids, hosts and values.

The texts are those of PostgreSQL 18 and libpq, Redis 8 and redis-py, ClickHouse 24 and clickhouse-driver, Weaviate 1.3x and its client,
ArangoDB 3.12 and python-arango.
"""

import json
import random
import string
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import redis
from arango import exceptions as arango
from arango.request import Request
from arango.response import Response
from clickhouse_driver import errors as clickhouse
from psycopg2 import errors as pg

from gateway.databases.weaviate_client import exceptions as weaviate
from gateway.databases.weaviate_client import httpx

# Some are words that engines use too, some look like participles: as people name things.
WORDS = tuple(
    """orders users invoice customer ledger payment shipment product session cart price stock tenant account audit report basket review
    address coupon event metric device sensor campaign ticket message profile wallet refund bill quote parcel route vendor billing listing
    feed rating booking""".split()  # noqa: SIM905 - forty quoted words read worse
)


class Values:
    """Draws what varies between two errors of one cause."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice

    def word(self) -> str:
        """A plain name: `invoice`."""
        return self._dice.choice(WORDS)

    def name(self) -> str:
        """A name as people give them to tables, keys and users: `invoice`, `order_items`, `orders2024`, `OrderLine`, `eu-cart`."""
        one, other = self._dice.choice(WORDS), self._dice.choice(WORDS)
        return self._dice.choice(
            (one, f"{one}_{other}", f"{one}{self.number(9999)}", one.title() + other.title(), f"{one}-{other}", f"{one}_{self.number(99)}")
        )

    def identifier(self) -> str:
        """The same where the engine takes no hyphen."""
        return self.name().replace("-", "_")

    def collection(self) -> str:
        """A Weaviate class: `Invoice`, `OrderLine`."""
        return self._dice.choice((self.word().title(), self.word().title() + self.word().title()))

    def number(self, limit: int = 10**9) -> int:
        """0 ≤ number < limit."""
        return self._dice.randrange(limit)

    def decimal(self) -> str:
        return f"{self._dice.random() * 100:.2f}"

    def identity(self) -> str:
        """An id: a number, a UUID, hexadecimal digits, a ULID."""
        kinds: tuple[Callable[[], str], ...] = (
            lambda: str(self.number()),
            lambda: str(uuid.UUID(int=self._dice.getrandbits(128), version=4)),
            lambda: f"{self._dice.getrandbits(96):024x}",
            lambda: "01" + "".join(self._dice.choices(string.digits + "ABCDEFGHJKMNPQRSTVWXYZ", k=24)),
        )
        return self._dice.choice(kinds)()

    def ip(self) -> str:
        return ".".join(str(self._dice.randrange(1, 255)) for _ in range(4))

    def host(self) -> str:
        """`db-7.prod.example.com`, `cache`, `10.0.3.9`, a pod's name."""
        one = self.word()
        pod = "".join(self._dice.choices("bcdfghjklmnpqrstvwxz2456789", k=5))
        domain = self._dice.choice(("example.com", "internal", "svc.cluster.local", "prod.eu-west-1.example.net"))
        return self._dice.choice((one, self.ip(), f"{one}-{self.number(40)}.{domain}", f"{one}.{domain}", f"{one}-{pod}"))

    def port(self) -> int:
        return self._dice.randrange(1024, 65535)

    def moment(self) -> str:
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.number(31_000_000))
        return self._dice.choice((at.isoformat(), at.strftime("%Y-%m-%d %H:%M:%S")))

    def chance(self) -> bool:
        return self._dice.random() < 0.5


@dataclass(frozen=True)
class Cause:
    """One cause: where it is caught, and how an error of it is made."""

    name: str
    source: str
    make: Callable[[Values], BaseException]


def _lost(v: Values) -> str:
    """libpq names the address beside a host's name, but not beside an address."""
    host = v.host()
    beside = "" if host[0].isdigit() else f" ({v.ip()})"
    return f'connection to server at "{host}"{beside}, port {v.port()} failed'


def _postgres(code: str, text: str) -> psycopg2.Error:
    """As the driver makes it: the class that the SQLSTATE names, which it carries."""
    error: psycopg2.Error = pg.lookup(code)(text)
    error.__setstate__({"pgcode": code})  # what the driver's C code does
    return error


POSTGRES: dict[str, Callable[[Values], BaseException]] = {
    "refused": lambda v: psycopg2.OperationalError(
        f"{_lost(v)}: Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?\n"
    ),
    "connect_timeout": lambda v: psycopg2.OperationalError(f"{_lost(v)}: timeout expired\n"),
    "unknown_host": lambda v: psycopg2.OperationalError(
        f'could not translate host name "{v.host()}" to address: Name or service not known\n'
    ),
    "wrong_password": lambda v: psycopg2.OperationalError(f'{_lost(v)}: FATAL:  password authentication failed for user "{v.name()}"\n'),
    "too_many_clients": lambda v: psycopg2.OperationalError(f"{_lost(v)}: FATAL:  sorry, too many clients already\n"),
    "no_database": lambda v: psycopg2.OperationalError(f'{_lost(v)}: FATAL:  database "{v.name()}" does not exist\n'),
    "starting": lambda v: psycopg2.OperationalError(f"{_lost(v)}: FATAL:  the database system is starting up\n"),
    "closed": lambda _: psycopg2.OperationalError(
        "server closed the connection unexpectedly\n\tThis probably means the server terminated abnormally\n"
    ),
    "unique": lambda v: _postgres(
        "23505",
        f'duplicate key value violates unique constraint "{v.name()}_key"\nDETAIL:  Key ({v.word()})=({v.identity()}) already exists.\n',
    ),
    "foreign_key": lambda v: _postgres(
        "23503",
        f'insert or update on table "{v.name()}" violates foreign key constraint "fk_{v.name()}"\nDETAIL:  Key (id)=({v.identity()}) is not'
        f' present in table "{v.name()}".\n',
    ),
    "deadlock": lambda v: _postgres(
        "40P01",
        f"deadlock detected\nDETAIL:  Process {v.number()} waits for ShareLock on transaction {v.number()}.\n",
    ),
    "serialization": lambda _: _postgres("40001", "could not serialize access due to concurrent update\n"),
    "statement_timeout": lambda _: _postgres("57014", "canceling statement due to statement timeout\n"),
    "no_table": lambda v: _postgres("42P01", f'relation "{v.name()}" does not exist\nLINE 1: SELECT * FROM {v.name()}\n'),
    "no_column": lambda v: (
        _postgres("42703", f'column "{v.name()}" does not exist\nLINE 1: SELECT {v.name()}\n')
        if v.chance()
        else _postgres("42703", f"column {v.word()}.{v.identifier()} does not exist\nLINE 1: SELECT {v.name()}\n")
    ),
    "bad_integer": lambda v: _postgres("22P02", f'invalid input syntax for type integer: "{v.identity()}x"\n'),
    "disk_full": lambda v: _postgres("53100", f'could not extend file "base/{v.number()}/{v.number()}": No space left on device\n'),
    "shutdown": lambda _: _postgres("57P01", "terminating connection due to administrator command\n"),
}

REDIS: dict[str, Callable[[Values], BaseException]] = {
    "refused": lambda v: redis.ConnectionError(f"Error 111 connecting to {v.host()}:{v.port()}. Connection refused."),
    "unknown_host": lambda v: redis.ConnectionError(f"Error -2 connecting to {v.host()}:{v.port()}. Name or service not known."),
    "closed": lambda _: redis.ConnectionError("Connection closed by server."),
    "slow": lambda v: redis.TimeoutError(f"Timeout reading from {v.host()}:{v.port()}"),
    "loading": lambda _: redis.BusyLoadingError("Redis is loading the dataset in memory"),
    "oom": lambda _: redis.exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."),
    "wrong_type": lambda _: redis.ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"),
    "unknown_command": lambda v: redis.ResponseError(
        f"ERR unknown command '{v.word()}', with args beginning with: '{v.name()}' '{v.identity()}' "
    ),
    "read_only": lambda _: redis.ReadOnlyError("You can't write against a read only replica."),
    "wrong_password": lambda _: redis.AuthenticationError("invalid username-password pair or user is disabled."),
    "no_permission": lambda v: redis.exceptions.NoPermissionError(f"User {v.name()} has no permissions to run the '{v.word()}' command"),
    "moved": lambda v: redis.ResponseError(f"MOVED {v.number(16384)} {v.ip()}:{v.port()}"),
}


def _exception(code: int, text: str) -> clickhouse.ServerException:
    return clickhouse.ServerException(f"DB::Exception: {text}. Stack trace:\n\n0. DB::Exception::Exception(...) @ 0x00000000", code)


CLICKHOUSE: dict[str, Callable[[Values], BaseException]] = {
    "refused": lambda v: clickhouse.NetworkError(f"Connection refused ({v.host()}:{v.port()})"),
    "slow": lambda v: clickhouse.SocketTimeoutError(f"Code: 209. ({v.host()}:{v.port()})"),
    "no_table": lambda v: _exception(60, f"Table {v.word()}.{v.identifier()} doesn't exist"),
    "no_identifier": lambda v: (
        _exception(47, f"Missing columns: '{v.identifier()}' while processing query: 'SELECT {v.identifier()}'")
        if v.chance()
        else _exception(47, f"Missing columns: '{v.identifier()}' '{v.identifier()}' while processing query: 'SELECT {v.identifier()}, 1'")
    ),
    "syntax": lambda v: _exception(62, f"Syntax error: failed at position {v.number(900)} ('{v.word()}'): {v.word()} FORM {v.name()}"),
    "memory": lambda v: _exception(
        241,
        f"Memory limit (for query) exceeded: would use {v.decimal()} GiB (attempt to allocate chunk of {v.number()} bytes),"
        f" maximum: {v.decimal()} GiB",
    ),
    "wrong_password": lambda v: _exception(
        516, f"{v.name()}: Authentication failed: password is incorrect, or there is no user with such name"
    ),
    "too_many_queries": lambda v: _exception(202, f"Too many simultaneous queries. Maximum: {v.number(500)}"),
    "too_many_parts": lambda v: _exception(
        252, f"Too many parts ({v.number(3000)}). Merges are processing significantly slower than inserts"
    ),
    "slow_query": lambda v: _exception(159, f"Timeout exceeded: elapsed {v.decimal()} seconds, maximum: {v.number(60)}"),
    "no_database": lambda v: _exception(81, f"Database {v.identifier()} doesn't exist"),
}


def _weaviate(status: int, text: str, body: dict[str, Any]) -> weaviate.UnexpectedStatusCodeError:
    return weaviate.UnexpectedStatusCodeError(text, httpx.Response(status, json=body))


WEAVIATE: dict[str, Callable[[Values], BaseException]] = {
    "refused": lambda _: httpx.ConnectError("[Errno 111] Connection refused"),
    "slow": lambda v: weaviate.WeaviateTimeoutError(f"timed out after {v.decimal()} seconds waiting for {v.host()}:{v.port()}"),
    "not_ready": lambda v: weaviate.WeaviateStartUpError(f"Weaviate did not start up in {v.number(60)} seconds at {v.host()}:{v.port()}"),
    "wrong_key": lambda _: _weaviate(
        401, "Meta endpoint", {"code": 401, "message": "oidc auth is not configured, please try another auth scheme"}
    ),
    "no_class": lambda v: weaviate.WeaviateQueryError(f"could not find class {v.collection()} in schema", "GRPC search"),
    "wrong_length": lambda v: weaviate.WeaviateQueryError(
        f"vector search: object vector search at index {v.word()}: shard {v.word()}_{v.identity()}: vector search: knn search: distance"
        f" between entrypoint and query node: vector lengths don't match: {v.number(2048)} vs {v.number(2048)}",
        "GRPC search",
    ),
    "exists": lambda v: _weaviate(
        422, "Object was not added", {"error": [{"message": f"id '{uuid.UUID(int=v.number())}' already exists"}]}
    ),
    "full": lambda v: _weaviate(
        507,
        "Object was not added",
        {"error": [{"message": f"store is read-only: disk usage at {v.decimal()}%, not {v.decimal()}%"}]},
    ),
}


def _arango(kind: type[arango.ArangoServerError], status: int, number: int, text: str) -> arango.ArangoServerError:
    response = Response("post", "http://127.0.0.1:8529/_api/cursor", {}, status, "", json.dumps({}))
    response.error_code, response.error_message = number, text
    return kind(response, Request("post", "/_api/cursor"))


ARANGO: dict[str, Callable[[Values], BaseException]] = {
    "refused": lambda v: ConnectionAbortedError(f"Can't connect to host(s) within limit ({v.number(9)})"),
    "no_collection": lambda v: _arango(
        arango.AQLQueryExecuteError, 404, 1203, f"AQL: collection or view not found: {v.name()} (while parsing)"
    ),
    "syntax": lambda v: _arango(
        arango.AQLQueryExecuteError,
        400,
        1501,
        f"AQL: syntax error, unexpected identifier near '{v.name()} RETURN' at position {v.number(9)}:{v.number(99)} (while parsing)",
    ),
    "unique": lambda v: _arango(
        arango.DocumentInsertError,
        409,
        1210,
        f"unique constraint violated - in index primary of type primary over '_key'; conflicting key: {v.identity()}",
    ),
    "write_conflict": lambda v: _arango(arango.DocumentUpdateError, 409, 1200, f"write-write conflict; key: {v.identity()}"),
    "no_document": lambda _: _arango(arango.DocumentGetError, 404, 1202, "document not found"),
    "killed": lambda _: _arango(arango.AQLQueryExecuteError, 410, 1500, "AQL: query killed (while executing)"),
    "wrong_password": lambda _: _arango(arango.ServerVersionError, 401, 11, "not authorized to execute this request"),
    "no_database": lambda v: _arango(arango.AQLQueryExecuteError, 404, 1228, f"database not found: {v.name()}"),
}

# The two engines of Redis's protocol share a driver: each has causes of its own, and two that the other has too.
DRAGONFLYDB = {name: REDIS[name] for name in ("oom", "loading", "moved", "no_permission", "refused", "slow")}
REDIS_OWN = {name: make for name, make in REDIS.items() if name not in DRAGONFLYDB or name in {"refused", "slow"}}
GROUPS = {
    "postgres": POSTGRES,
    "redis": REDIS_OWN,
    "dragonflydb": DRAGONFLYDB,
    "clickhouse": CLICKHOUSE,
    "weaviate": WEAVIATE,
    "arangodb": ARANGO,
}
CAUSES = tuple(Cause(f"{source}:{name}", source, make) for source, group in GROUPS.items() for name, make in group.items())
