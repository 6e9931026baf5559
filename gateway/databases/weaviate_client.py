"""weaviate-client and what lies below it: imported here and nowhere else, once gRPC is told of forks and the libraries are kept quiet.

Imported when first used.
"""

import os
import warnings

# Read by gRPC when it is imported: without it, the child of a process that used gRPC waits for threads that it does not have.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "1")

with warnings.catch_warnings():
    # It switches its own warnings on when imported: so it comes first, and they are switched off again.
    import authlib.deprecate  # type: ignore[import-untyped]  # noqa: F401

    warnings.simplefilter("ignore")  # the client's libraries announce what they will drop; their versions are pinned here
    import grpc  # type: ignore[import-untyped]  # it ships no types
    import httpx
    from weaviate import WeaviateClient, exceptions
    from weaviate.auth import AuthApiKey
    from weaviate.config import AdditionalConfig, GrpcConfig, Timeout
    from weaviate.connect.base import ConnectionParams
    from weaviate.connect.v4 import _ExpectedStatusCodes as ExpectedStatusCodes
    from weaviate.proto.v1 import health_weaviate_pb2 as health

__all__ = [
    "AdditionalConfig",
    "AuthApiKey",
    "ConnectionParams",
    "ExpectedStatusCodes",
    "GrpcConfig",
    "Timeout",
    "WeaviateClient",
    "exceptions",
    "grpc",
    "health",
    "httpx",
]
