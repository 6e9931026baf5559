"""A Weaviate that lost the patterns, and made a collection of its own meanwhile, is given all of them again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.databases import WeaviateSettings
from gateway.databases.weaviate import Weaviate
from gateway.recovery.patterns.embedding import embed
from gateway.recovery.patterns.index_weaviate import COLLECTION, WeaviateIndex
from gateway.recovery.patterns.ports import Point
from tests.doubles.weaviate import API_KEY, weaviate_process
from tests.fakes.clock import FakeClock
from tests.fakes.patterns import PatternsRoom, fault

TEXTS = ("the cache is on fire", "the disk has melted", "statement has a syntax mistake")


@pytest.fixture
def weaviate() -> Iterator[Weaviate]:
    with weaviate_process() as (rest, grpc):
        environment = {"WEAVIATE_HOST": "127.0.0.1", "WEAVIATE_PORT": str(rest), "WEAVIATE_GRPC_PORT": str(grpc)}
        opened = Weaviate(WeaviateSettings.read(environment | {"WEAVIATE_API_KEY": API_KEY}))
        yield opened
        opened.close()


def test_a_collection_that_was_lost_is_filled_again(postgres_url: str, tmp_path: Path, weaviate: Weaviate) -> None:
    clock, index = FakeClock(), WeaviateIndex(weaviate.commands)
    room = PatternsRoom(postgres_url, tmp_path, clock, remote=index)
    for text in TEXTS:
        room.patterns.observe(fault(text))
    room.patterns.flush()
    one = fault(TEXTS[0])
    facts = room.patterns.get(one.fingerprint).pattern.facts
    asked = Point(one.fingerprint, embed(facts))
    assert len(index.nearest(asked, 9)) == len(TEXTS)
    with weaviate.commands() as client:
        client.collections.delete(COLLECTION)
    index.put([asked])  # another process, a moment later: the server makes a collection of its own
    clock.advance(60)
    room.patterns.flush()
    assert index.is_ready()
    assert len(index.nearest(asked, 9)) == len(TEXTS)
    room.close()
