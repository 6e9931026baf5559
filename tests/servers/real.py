"""Real servers given by their variables: `make test-real` sets TEST_REAL=1 and the variables of whatever servers there are.

They are not ours: whatever a suite makes there bears the name OWN and is removed at the end, and nothing else is touched.
"""

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from config.databases import ArangoSettings, ClickHouseSettings
from config.settings import Settings
from gateway.databases.clickhouse import ClickHouse
from gateway.databases.pool import Databases

OWN = f"gateway_contract_{uuid.uuid4().hex[:12]}"
OWN_CLASS = f"GatewayContract{uuid.uuid4().hex[:12]}"  # Weaviate's names begin with a capital
VARIABLES = ("DATABASE_URL", "DRAGONFLY_URL", "REDIS_URL", "CLICKHOUSE_HOST", "WEAVIATE_HOST", "ARANGO_URL")


def asked_for() -> bool:
    """Whether this run is about real servers."""
    return os.environ.get("TEST_REAL") == "1"


def real_environment(*needed: str) -> dict[str, str] | None:
    """The process's environment, when real servers are asked for and one of the variables is set; else None."""
    if not asked_for() or not any(os.environ.get(name) for name in needed):
        return None
    return dict(os.environ)


@contextmanager
def opened(environment: Mapping[str, str], name: str) -> Iterator[Any]:
    """One of the six, by these variables."""
    databases = Databases(Settings.from_environment(dict(environment)))
    try:
        yield databases.get(name)
    finally:
        databases.close()


@contextmanager
def own_clickhouse(environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Variables that lead to a new database on the server."""
    clickhouse = ClickHouse(ClickHouseSettings.read(environment))
    with clickhouse.commands() as client:
        client.execute(f"CREATE DATABASE {OWN}")
    try:
        yield {**environment, "CLICKHOUSE_DB": OWN}
    finally:
        with clickhouse.commands() as client:
            client.execute(f"DROP DATABASE {OWN}")
        clickhouse.close()


@contextmanager
def own_arangodb(environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Variables that lead to a new database on the server, with a collection `contract`. The user must be allowed to make one."""
    from arango.client import ArangoClient

    settings = ArangoSettings.read(environment)
    login = {"username": settings.user, "password": settings.password.get_secret_value() if settings.password else ""}
    client = ArangoClient(hosts=environment["ARANGO_URL"])
    client.db("_system", **login).create_database(OWN, users=[{**login, "active": True}])
    try:
        client.db(OWN, **login).create_collection("contract")
        yield {**environment, "ARANGO_DB": OWN}
    finally:
        client.db("_system", **login).delete_database(OWN)
        client.close()
