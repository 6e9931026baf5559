"""What every pattern index must do. The ones that compare meanings answer alike; the exact one knows the very same pattern only."""

import math
import random
from collections.abc import Iterator

import pytest

from config.databases import PostgresSettings, WeaviateSettings
from embedded.postgres import EmbeddedPostgres
from gateway.databases.errors import DatabaseDisabled
from gateway.databases.postgres import Postgres
from gateway.databases.weaviate import Weaviate
from gateway.errors import GatewayError
from gateway.recovery.patterns.embedding import DIMENSIONS
from gateway.recovery.patterns.index_postgres import ExactIndex, PgvectorIndex
from gateway.recovery.patterns.index_weaviate import WeaviateIndex
from gateway.recovery.patterns.ports import Neighbour, PatternIndex, Point
from tests.conftest import execute, migrate
from tests.doubles.weaviate import API_KEY
from tests.fakes.patterns import InMemoryIndex
from tests.servers.real import OWN_CLASS, real_environment


def points(count: int, seed: int = 1) -> list[Point]:
    """Random ones; names with all that a fingerprint never holds."""
    dice = random.Random(seed)
    found = []
    for number in range(count):
        raw = [dice.gauss(0, 1) for _ in range(DIMENSIONS)]
        length = math.hypot(*raw)
        found.append(Point(f"v1-{number:04d}'\" ü", tuple(value / length for value in raw)))
    return found


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Postgres]:
    opened = Postgres(PostgresSettings.read({"DATABASE_URL": postgres_url}))
    yield opened
    opened.close()


@pytest.fixture
def weaviate_pattern_index(request: pytest.FixtureRequest) -> Iterator[WeaviateIndex]:
    environment = real_environment("WEAVIATE_HOST")
    if environment is None:
        rest, grpc = request.getfixturevalue("weaviate_ports")
        environment = {"WEAVIATE_HOST": "127.0.0.1", "WEAVIATE_PORT": str(rest), "WEAVIATE_GRPC_PORT": str(grpc)}
        environment["WEAVIATE_API_KEY"] = API_KEY
    weaviate = Weaviate(WeaviateSettings.read(environment))
    with weaviate.commands() as client:
        client.collections.delete(OWN_CLASS)
    yield WeaviateIndex(weaviate.commands, OWN_CLASS)
    with weaviate.commands() as client:
        client.collections.delete(OWN_CLASS)
    weaviate.close()


@pytest.fixture(params=["memory", "pgvector", "weaviate"])
def by_meaning(request: pytest.FixtureRequest) -> PatternIndex:
    if request.param == "memory":
        return InMemoryIndex()
    if request.param == "pgvector":
        return PgvectorIndex(request.getfixturevalue("postgres").transaction)
    index: PatternIndex = request.getfixturevalue("weaviate_pattern_index")
    return index


def test_a_known_pattern_is_its_own_nearest(by_meaning: PatternIndex) -> None:
    _finds_itself(by_meaning)


def test_the_exact_index_finds_the_same_pattern_and_no_other(postgres: Postgres) -> None:
    index = ExactIndex(postgres.transaction)
    _finds_itself(index)
    assert len(index.nearest(points(5)[3], 10)) == 1


def _finds_itself(index: PatternIndex) -> None:
    known = points(5)
    index.prepare()
    index.put(known)
    nearest = index.nearest(known[3], 3)[0]
    assert nearest.fingerprint == known[3].fingerprint
    assert nearest.similarity == pytest.approx(1, abs=1e-4)


def test_the_nearest_come_first_with_their_cosine(by_meaning: PatternIndex) -> None:
    known, reference = points(30), InMemoryIndex()
    by_meaning.prepare()
    by_meaning.put(known)
    reference.prepare()
    reference.put(known)
    asked = points(1, seed=2)[0]
    found, expected = by_meaning.nearest(asked, 7), reference.nearest(asked, 7)
    assert [each.fingerprint for each in found] == [each.fingerprint for each in expected]
    assert [each.similarity for each in found] == pytest.approx([each.similarity for each in expected], abs=1e-4)


def test_putting_again_replaces(by_meaning: PatternIndex) -> None:
    first, second = points(2)
    by_meaning.prepare()
    by_meaning.put([first, second])
    by_meaning.put([Point(first.fingerprint, second.vector)])
    found = by_meaning.nearest(second, 10)
    assert [each.fingerprint for each in found] == sorted([first.fingerprint, second.fingerprint])
    assert [each.similarity for each in found] == pytest.approx([1, 1], abs=1e-4)


def test_what_is_forgotten_is_not_found(by_meaning: PatternIndex) -> None:
    known = points(3)
    by_meaning.prepare()
    by_meaning.put(known)
    by_meaning.forget([known[0].fingerprint, "never known"])
    assert {each.fingerprint for each in by_meaning.nearest(known[0], 10)} == {each.fingerprint for each in known[1:]}


def test_an_empty_index_knows_nothing(by_meaning: PatternIndex) -> None:
    by_meaning.prepare()
    by_meaning.put([])
    assert by_meaning.nearest(points(1)[0], 3) == ()


def test_preparing_twice_is_harmless(by_meaning: PatternIndex) -> None:
    by_meaning.prepare()
    by_meaning.put(points(2))
    by_meaning.prepare()
    assert by_meaning.is_ready()
    assert len(by_meaning.nearest(points(1)[0], 5)) == 2


def test_weaviate_that_lost_its_collection_is_prepared_anew(weaviate_pattern_index: WeaviateIndex) -> None:
    assert not weaviate_pattern_index.is_ready()
    weaviate_pattern_index.prepare()
    assert weaviate_pattern_index.is_ready()
    with weaviate_pattern_index._commands() as client:
        client.collections.delete(OWN_CLASS)
    with pytest.raises(GatewayError):
        weaviate_pattern_index.nearest(points(1)[0], 1)
    assert not weaviate_pattern_index.is_ready()


def test_a_collection_that_weaviate_made_by_itself_gives_way_to_ours(weaviate_pattern_index: WeaviateIndex) -> None:
    known = points(2)
    weaviate_pattern_index.put(known[:1])  # auto-schema
    assert not weaviate_pattern_index.is_ready()
    weaviate_pattern_index.prepare()
    assert weaviate_pattern_index.is_ready()
    assert weaviate_pattern_index.nearest(known[0], 1) == ()
    weaviate_pattern_index.put(known)
    assert weaviate_pattern_index.nearest(known[0], 1)[0] == Neighbour(known[0].fingerprint, pytest.approx(1, abs=1e-4))


def test_a_postgresql_without_pgvector_is_migrated_and_says_that_it_cannot_compare(postgres_server: EmbeddedPostgres) -> None:
    execute(postgres_server.url_of("postgres"), "CREATE DATABASE no_pgvector TEMPLATE template0")
    url = postgres_server.url_of("no_pgvector")
    migrate(url)
    postgres = Postgres(PostgresSettings.read({"DATABASE_URL": url}))
    known = points(2)
    pgvector, exact = PgvectorIndex(postgres.transaction), ExactIndex(postgres.transaction)
    pgvector.put(known)
    with pytest.raises(DatabaseDisabled):
        pgvector.nearest(known[0], 2)
    assert exact.nearest(known[0], 2) == (Neighbour(known[0].fingerprint, 1.0),)
    postgres.close()
    execute(postgres_server.url_of("postgres"), "DROP DATABASE no_pgvector WITH (FORCE)")
