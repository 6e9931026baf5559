"""The pattern index in Weaviate: the first choice. Vectors are our own; the server runs no model.

Each version of the embedding has a collection of its own, so that points of two versions never meet. A server that lost the collection
makes one by itself, of its own settings, at the first point that is put (auto-schema): only what bears our description is ours.
Source: https://docs.weaviate.io/weaviate/starter-guides/custom-vectors , https://docs.weaviate.io/weaviate/config-refs/collections ,
weaviate-client 4 (collections/data, collections/queries).
"""

import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from gateway.databases.errors import DatabaseFailed, StatementInvalid
from gateway.databases.limits import FALLBACK_AFTER_SECONDS
from gateway.recovery.patterns.embedding import VERSION
from gateway.recovery.patterns.ports import Neighbour, Point

COLLECTION = f"GatewayErrorPattern{VERSION.title()}"
NAMESPACE = uuid.UUID("7b0f6c1e-2d3a-5c4b-9e8f-1a2b3c4d5e6f")  # any fixed one: the same pattern has the same id everywhere
DEFINITION = {
    "description": "Error patterns by meaning, kept by the API gateway",
    "vectorizer": "none",
    "vectorIndexType": "flat",
    "vectorIndexConfig": {"distance": "cosine"},
    "properties": [{"name": "fingerprint", "dataType": ["text"], "tokenization": "field"}],
}


class WeaviateIndex:
    """Implements PatternIndex. `commands` is gateway.databases.weaviate.Weaviate.commands; `collection` is made by `prepare`."""

    name = "weaviate"

    def __init__(self, commands: Callable[[float | None], AbstractContextManager[Any]], collection: str = COLLECTION) -> None:
        self._commands = commands
        self._collection = collection

    def is_ready(self) -> bool:
        with self._commands(None) as client:
            if not client.collections.exists(self._collection):
                return False
            found = client.collections.use(self._collection).config.get(simple=True)
        return bool(found.description == DEFINITION["description"])

    def prepare(self) -> None:
        if self.is_ready():  # another process was faster
            return
        try:
            with self._commands(None) as client:
                if client.collections.exists(self._collection):
                    client.collections.delete(self._collection)
                client.collections.create_from_dict({"class": self._collection, **DEFINITION})
        except StatementInvalid:
            if not self.is_ready():
                raise

    def put(self, points: Sequence[Point]) -> None:
        if not points:
            return
        from weaviate.classes.data import DataObject

        objects = [
            DataObject(properties={"fingerprint": point.fingerprint}, uuid=id_of(point.fingerprint), vector=list(point.vector))
            for point in points
        ]
        result = self._ask(lambda collection: collection.data.insert_many(objects))
        if result.has_errors:
            raise DatabaseFailed(self.name, f"Weaviate refused {len(result.errors)} of {len(points)} patterns")

    def nearest(self, point: Point, limit: int) -> tuple[Neighbour, ...]:
        answer = self._ask(
            lambda collection: collection.query.near_vector(
                list(point.vector), limit=limit, return_metadata=["distance"], return_properties=["fingerprint"]
            ),
            FALLBACK_AFTER_SECONDS,
        )
        found = [Neighbour(item.properties["fingerprint"], round(1 - item.metadata.distance, 6)) for item in answer.objects]
        return tuple(sorted(found, key=lambda each: (-each.similarity, each.fingerprint)))

    def forget(self, fingerprints: Sequence[str]) -> None:
        def remove(collection: Any) -> None:
            for fingerprint in fingerprints:
                collection.data.delete_by_id(id_of(fingerprint))

        self._ask(remove)

    def _ask(self, question: Callable[[Any], Any], timeout_seconds: float | None = None) -> Any:
        with self._commands(timeout_seconds) as client:
            return question(client.collections.use(self._collection))


def id_of(fingerprint: str) -> str:
    """The object's id: the same for the same pattern."""
    return str(uuid.uuid5(NAMESPACE, fingerprint))
