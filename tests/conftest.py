"""The servers that tests share: a real PostgreSQL and a real redis-server for each test process, started when first asked for."""

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
import redis

from embedded.postgres import EmbeddedPostgres
from embedded.redis import EmbeddedRedis

ROOT = Path(__file__).parent.parent
TEMPLATE = "gateway"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """PostgreSQL with nothing in it but pgvector. A test that stops or kills it starts its own instead."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), durable=False)
    server.start()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: EmbeddedPostgres) -> EmbeddedPostgres:
    """The same, its database `gateway` migrated to head: the template that tests clone."""
    migrate(postgres_server.url)
    return postgres_server


@pytest.fixture
def postgres_url(migrated_postgres: EmbeddedPostgres) -> Iterator[str]:
    """postgresql:// URL of a fresh, migrated, empty database of the test's own."""
    name = f"test_{next(_numbers)}"
    execute(migrated_postgres.url_of("postgres"), f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    yield migrated_postgres.url_of(name)
    execute(migrated_postgres.url_of("postgres"), f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """A redis-server. A test that stops or kills it starts its own instead."""
    server = EmbeddedRedis(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.remove()


@pytest.fixture
def redis_url(redis_server: EmbeddedRedis) -> str:
    """redis:// URL of an empty database on a real redis-server."""
    with closing(redis.Redis.from_url(redis_server.url)) as client:
        client.flushall()
    return redis_server.url


def migrate(url: str) -> None:
    """`alembic upgrade head`, as a deployment runs it. Raises with its output when it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"alembic upgrade head failed:\n{done.stdout}{done.stderr}")


def execute(url: str, statement: str) -> None:
    """One statement outside of any transaction."""
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
