"""The embedded servers keep their data and their port through every way to end, and say in one line why they cannot start."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
import redis

from embedded.errors import EmbeddedError
from embedded.postgres import EmbeddedPostgres
from embedded.processes import is_alive, wait_until
from embedded.redis import EmbeddedRedis
from embedded.server import EmbeddedServer


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path / "postgres", durable=False)
    yield server
    server.remove()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    server = EmbeddedRedis(tmp_path / "redis")
    yield server
    server.remove()


def query(url: str, statement: str) -> list[tuple[object, ...]]:
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def note(url: str) -> None:
    query(url, "CREATE TABLE noted (what text)")
    query(url, "INSERT INTO noted VALUES ('before')")


def noted(url: str) -> list[tuple[object, ...]]:
    return query(url, "SELECT what FROM noted")


def test_postgres_keeps_data_and_port_when_stopped_or_killed(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    note(postgres.url)
    address = postgres.url

    postgres.kill()
    postgres.start()
    assert (postgres.url, noted(postgres.url)) == (address, [("before",)])

    postgres.stop()
    postgres.start()
    assert (postgres.url, noted(postgres.url)) == (address, [("before",)])


def test_postgres_serves_a_role_that_is_no_superuser_and_brings_pgvector(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    assert query(postgres.url, "SELECT current_user, rolsuper FROM pg_roles WHERE rolname = current_user") == [("gateway", False)]
    assert query(postgres.url, "SELECT '[1,2]'::vector <-> '[1,4]'::vector") == [(2.0,)]


def test_postgres_asks_for_the_password(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(host="127.0.0.1", port=postgres.port, user="gateway", dbname="gateway", password="guessed")


def test_an_interrupted_initialisation_is_done_again(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    postgres.stop()
    postgres.home.data.rename(postgres.home.unfinished)
    (postgres.home.unfinished / "PG_VERSION").unlink()

    postgres.start()

    assert query(postgres.url, "SELECT 1") == [(1,)]
    assert not postgres.home.unfinished.exists()


def test_a_finished_cluster_is_never_deleted(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    postgres.stop()
    (postgres.home.data / "PG_VERSION").unlink()

    with pytest.raises(EmbeddedError, match="no PostgreSQL cluster any more"):
        postgres.start()

    assert (postgres.home.data / "base").is_dir()


def test_a_cluster_of_another_version_is_named(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    postgres.stop()
    (postgres.home.data / "PG_VERSION").write_text("17\n")

    with pytest.raises(EmbeddedError, match="was made by PostgreSQL 17"):
        postgres.start()


def test_a_stale_pid_file_whose_pid_is_somebody_elses_is_healed(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    stale = (postgres.home.data / "postmaster.pid").read_text().splitlines()
    postgres.stop()
    (postgres.home.data / "postmaster.pid").write_text("\n".join([str(os.getpid()), *stale[1:]]) + "\n")

    postgres.start()

    assert query(postgres.url, "SELECT 1") == [(1,)]


ABANDON = """
import os, signal, sys
from pathlib import Path
from embedded.postgres import EmbeddedPostgres
from embedded.redis import EmbeddedRedis
server = {"postgres": lambda d: EmbeddedPostgres(d, durable=False), "redis": EmbeddedRedis}[sys.argv[1]](Path(sys.argv[2]))
server.start()
print(server.process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("kind", ["postgres", "redis"])
def test_a_server_does_not_outlive_a_parent_that_was_killed(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    server: EmbeddedServer = request.getfixturevalue("postgres" if kind == "postgres" else "own_redis")
    dead = subprocess.run([sys.executable, "-c", ABANDON, kind, tmp_path / kind], capture_output=True, text=True, check=False)
    pid = int(dead.stdout)

    assert dead.returncode == -signal.SIGKILL
    assert wait_until(lambda: not is_alive(pid), timeout_seconds=10)

    server.start()
    assert server.is_running


def test_a_directory_in_use_is_named(postgres: EmbeddedPostgres, own_redis: EmbeddedRedis) -> None:
    for server, second in (
        (postgres, EmbeddedPostgres(postgres.directory, durable=False)),
        (own_redis, EmbeddedRedis(own_redis.directory)),
    ):
        server.start()
        with pytest.raises(EmbeddedError, match="in use by another process"):
            second.start()


def test_a_given_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]
        with pytest.raises(EmbeddedError, match=f"port {port}.*in use"):
            EmbeddedRedis(tmp_path, port=port).start()


def test_a_remembered_port_that_was_taken_is_replaced(own_redis: EmbeddedRedis) -> None:
    own_redis.start()
    before = own_redis.port
    own_redis.stop()
    with socket.create_server(("127.0.0.1", before)):
        own_redis.start()
        assert own_redis.port != before


@pytest.mark.parametrize("kind", ["postgres", "own_redis"])
def test_a_full_disk_is_one_line(kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    server: EmbeddedServer = request.getfixturevalue(kind)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1024))
    with pytest.raises(EmbeddedError, match=r"^the disk of .* is full: 0 MB are free, .*$"):
        server.start()


def test_redis_keeps_data_and_port_when_stopped_or_killed(own_redis: EmbeddedRedis) -> None:
    own_redis.start()
    address = own_redis.url
    with closing(redis.Redis.from_url(address)) as client:
        client.set("noted", "before")
        assert client.wait(0, 1) == 0

    own_redis.stop()
    own_redis.start()
    own_redis.kill()
    own_redis.start()

    assert own_redis.url == address
    with closing(redis.Redis.from_url(own_redis.url)) as client:
        assert client.get("noted") == b"before"


def test_redis_asks_for_the_password(own_redis: EmbeddedRedis) -> None:
    own_redis.start()
    with closing(redis.Redis(port=own_redis.port)) as client, pytest.raises(redis.AuthenticationError):
        client.ping()


def test_two_directories_never_share_a_port(tmp_path: Path, own_redis: EmbeddedRedis) -> None:
    other = EmbeddedRedis(tmp_path / "other")
    own_redis.start()
    other.start()
    try:
        assert other.port != own_redis.port
    finally:
        other.remove()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to switch the user")
def test_as_root_postgres_works_below_a_directory_that_only_root_enters(tmp_path: Path) -> None:
    closed = tmp_path / "clone"
    closed.mkdir(mode=0o700)
    server = EmbeddedPostgres(closed / "postgres", durable=False)
    try:
        server.start()
        assert server.process is not None
        assert Path(f"/proc/{server.process.pid}").stat().st_uid == server.home.place.stat().st_uid != 0
        assert server.home.place.stat().st_mode & 0o777 == 0o700
        assert closed.stat().st_mode & 0o777 == 0o700
        assert (closed / "postgres").stat().st_mode & 0o777 == 0o700
    finally:
        server.remove()
    assert not server.home.place.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root keeps the data outside of the directory")
def test_a_moved_clone_keeps_its_data_and_a_copied_one_gets_its_own(tmp_path: Path) -> None:
    first = EmbeddedPostgres(tmp_path / "first", durable=False)
    first.start()
    note(first.url)
    first.stop()
    shutil.copytree(tmp_path / "first", tmp_path / "copied")
    (tmp_path / "first").rename(tmp_path / "moved")
    (tmp_path / "first").mkdir()
    shutil.copy(tmp_path / "moved/cluster", tmp_path / "first/cluster")

    copied = EmbeddedPostgres(tmp_path / "copied", durable=False)
    copied.start()
    (tmp_path / "first/cluster").unlink()
    moved = EmbeddedPostgres(tmp_path / "moved", durable=False)
    moved.start()
    try:
        assert noted(moved.url) == [("before",)]
        with pytest.raises(psycopg2.errors.UndefinedTable):
            noted(copied.url)
    finally:
        moved.remove()
        copied.remove()
