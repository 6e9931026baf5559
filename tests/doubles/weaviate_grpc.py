"""The gRPC door of Weaviate's double, in the client's own protobuf classes.

Source: weaviate/proto/v1 of weaviate-client.
"""

import os
import struct
import warnings
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "1")  # as the gateway's own driver does, before gRPC is imported

with warnings.catch_warnings():
    import authlib.deprecate  # noqa: F401 - it switches its own warnings on, so it comes before they are switched off

    warnings.simplefilter("ignore")  # the client's libraries announce what they will drop; their versions are pinned here
    import grpc
    from weaviate.proto.v1 import batch_pb2, health_weaviate_pb2, properties_pb2, search_get_pb2, weaviate_pb2_grpc

if TYPE_CHECKING:
    from tests.doubles.weaviate import StoredObject, WeaviateDouble


def grpc_door(double: "WeaviateDouble", pool: Executor) -> Any:
    """Its gRPC server, started; its free port goes to `double.grpc_port`."""
    channel = grpc.server(pool)
    weaviate_pb2_grpc.add_WeaviateServicer_to_server(_Service(double), channel)
    channel.add_generic_rpc_handlers((_Health(double),))
    double.grpc_port = channel.add_insecure_port("127.0.0.1:0")
    channel.start()
    return channel


def _unpacked(raw: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(raw) // 4}f", raw)


class _Service(weaviate_pb2_grpc.WeaviateServicer):  # type: ignore[misc]
    """The gRPC door."""

    def __init__(self, double: "WeaviateDouble") -> None:
        self._double = double

    def BatchObjects(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        self._authenticate(context)
        errors = []
        for index, item in enumerate(request.objects):
            vector = _unpacked(item.vector_bytes or (item.vectors[0].vector_bytes if item.vectors else b""))
            problem = self._double.put(item.collection, item.uuid, dict(item.properties.non_ref_properties), vector)
            if problem:
                errors.append(batch_pb2.BatchObjectsReply.BatchError(index=index, error=problem))
        return batch_pb2.BatchObjectsReply(took=0.001, errors=errors)

    def Search(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        self._authenticate(context)
        if request.collection not in self._double.classes:
            context.abort(grpc.StatusCode.UNKNOWN, f"could not find class {request.collection} in schema")
        near = request.near_vector
        raw = near.vector_bytes or (near.vectors[0].vector_bytes if near.vectors else b"")
        if not raw and not request.HasField("near_vector"):
            held = self._double.objects[request.collection].items()
            found = [(key, stored, 0.0) for key, stored in held][request.offset : request.offset + (request.limit or 10)]
        else:
            found = self._double.nearest(request.collection, _unpacked(raw), request.limit or 10)
        return search_get_pb2.SearchReply(took=0.001, results=[_result(*item, with_distance=bool(raw)) for item in found])

    def _authenticate(self, context: Any) -> None:
        if dict(context.invocation_metadata()).get("authorization") != f"Bearer {self._double.api_key}":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "invalid api key")


def _result(key: str, stored: "StoredObject", distance: float, *, with_distance: bool) -> Any:
    fields = {name: _value(value) for name, value in stored.properties.items()}
    return search_get_pb2.SearchResult(
        properties=search_get_pb2.PropertiesResult(non_ref_props=properties_pb2.Properties(fields=fields)),
        metadata=search_get_pb2.MetadataResult(
            id=key,
            distance=distance,
            distance_present=with_distance,
            vector_bytes=struct.pack(f"<{len(stored.vector)}f", *stored.vector),
        ),
    )


def _value(value: Any) -> Any:
    if isinstance(value, bool):
        return properties_pb2.Value(bool_value=value)
    if isinstance(value, int | float):
        return properties_pb2.Value(number_value=value)
    return properties_pb2.Value(text_value=str(value))


class _Health(grpc.GenericRpcHandler):  # type: ignore[misc]
    """grpc.health.v1.Health/Check."""

    def __init__(self, double: "WeaviateDouble") -> None:
        self._double = double

    def service(self, handler_call_details: Any) -> Any:
        if handler_call_details.method != "/grpc.health.v1.Health/Check":
            return None
        return grpc.unary_unary_rpc_method_handler(
            self._check,
            request_deserializer=health_weaviate_pb2.WeaviateHealthCheckRequest.FromString,
            response_serializer=health_weaviate_pb2.WeaviateHealthCheckResponse.SerializeToString,
        )

    def _check(self, _request: Any, _context: Any) -> Any:
        states = health_weaviate_pb2.WeaviateHealthCheckResponse
        return states(status=states.SERVING if self._double.serving else states.NOT_SERVING)
