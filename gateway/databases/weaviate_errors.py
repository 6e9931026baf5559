"""What Weaviate's HTTP statuses, gRPC codes and the client's exception classes mean to us. Imported when first used."""

import os
import warnings
from collections.abc import Mapping

# Read by gRPC when it is imported: without it, the child of a process that used gRPC waits for threads that it does not have.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "1")

with warnings.catch_warnings():
    # It switches its own warnings on when imported: so it comes first, and they are switched off again.
    import authlib.deprecate  # type: ignore[import-untyped]  # noqa: F401

    warnings.simplefilter("ignore")  # the client's libraries announce what they will drop; their versions are pinned here
    import httpx
    from grpc import StatusCode  # type: ignore[import-untyped]  # it ships no types
    from weaviate import exceptions as vendor

from gateway.databases.bounded_http import BodyTooLarge, TooLate
from gateway.databases.connections import PoolExhausted
from gateway.databases.errors import (
    AnswerTooLarge,
    DatabaseAuthenticationFailed,
    DatabaseError,
    DatabaseFailed,
    DatabasePoolExhausted,
    DatabaseReadOnly,
    DatabaseTimeout,
    DatabaseUnreachable,
    StatementConflict,
    StatementInvalid,
)
from gateway.databases.model import DatabaseName

NAME = DatabaseName.WEAVIATE
Rule = tuple[type[DatabaseError], str]

LATE: Rule = (DatabaseTimeout, "Weaviate did not answer in time")
REFUSES_US: Rule = (DatabaseAuthenticationFailed, "Weaviate refuses our credentials")
UNREACHABLE: Rule = (DatabaseUnreachable, "Weaviate cannot be reached")
NO_GRPC: Rule = (DatabaseUnreachable, "Weaviate does not answer over gRPC")
INVALID: Rule = (StatementInvalid, "Weaviate refuses the statement")
CONFLICT: Rule = (StatementConflict, "The object conflicts with one that exists")
FAILED: Rule = (DatabaseFailed, "Weaviate could not run the statement")


class GrpcFailed(Exception):
    """A gRPC call failed. Our own, so that the client's retries, which look for gRPC's class, do not see it."""

    def __init__(self, code: StatusCode) -> None:
        super().__init__(code.name)
        self.code = code


class NotServing(Exception):
    """The gRPC health check answered, but not SERVING."""


STATUS_RULES: Mapping[int, Rule] = {
    400: INVALID,
    401: REFUSES_US,
    403: REFUSES_US,
    404: INVALID,
    405: INVALID,
    408: LATE,
    409: CONFLICT,
    413: INVALID,
    422: INVALID,
    429: UNREACHABLE,
    502: UNREACHABLE,
    503: UNREACHABLE,
    504: LATE,
    507: (DatabaseReadOnly, "Weaviate's disk is full"),
}
# UNKNOWN is not here: the server says it of a missing collection and of failures of its own alike, and only its text tells them apart.
GRPC_RULES: Mapping[StatusCode, Rule] = {
    StatusCode.DEADLINE_EXCEEDED: LATE,
    StatusCode.UNAVAILABLE: NO_GRPC,
    StatusCode.UNAUTHENTICATED: REFUSES_US,
    StatusCode.PERMISSION_DENIED: REFUSES_US,
    StatusCode.INVALID_ARGUMENT: INVALID,
    StatusCode.NOT_FOUND: INVALID,
    StatusCode.OUT_OF_RANGE: INVALID,
    StatusCode.FAILED_PRECONDITION: INVALID,
    StatusCode.UNIMPLEMENTED: NO_GRPC,
    StatusCode.ALREADY_EXISTS: CONFLICT,
    StatusCode.ABORTED: CONFLICT,
    StatusCode.RESOURCE_EXHAUSTED: UNREACHABLE,
}
# Every exception class of the client; a test fails when a new version brings one that is not here.
CLASS_RULES: Mapping[type[BaseException], Rule] = {
    vendor.WeaviateBaseError: FAILED,
    vendor.UnexpectedStatusCodeError: FAILED,
    vendor.ResponseCannotBeDecodedError: (DatabaseUnreachable, "What answers is not Weaviate"),
    vendor.ObjectAlreadyExistsError: CONFLICT,
    vendor.AuthenticationFailedError: REFUSES_US,
    vendor.InsufficientPermissionsError: REFUSES_US,
    vendor.MissingScopeError: REFUSES_US,
    vendor.SchemaValidationError: INVALID,
    vendor.BackupFailedError: FAILED,
    vendor.BackupCanceledError: FAILED,
    vendor.ExportFailedError: FAILED,
    vendor.ExportCanceledError: FAILED,
    vendor.EmptyResponseError: UNREACHABLE,
    vendor.AdditionalPropertiesError: INVALID,
    vendor.InvalidDataModelError: INVALID,
    vendor.WeaviateStartUpError: UNREACHABLE,
    vendor.WeaviateEmbeddedInvalidVersionError: FAILED,
    vendor.WeaviateInvalidInputError: INVALID,
    vendor.WeaviateQueryError: INVALID,
    vendor.WeaviateBatchError: FAILED,
    vendor.WeaviateBatchSendError: FAILED,
    vendor.WeaviateBatchStreamError: FAILED,
    vendor.WeaviateBatchValidationError: INVALID,
    vendor.WeaviateBatchFailedToReestablishStreamError: UNREACHABLE,
    vendor.WeaviateDeleteManyError: FAILED,
    vendor.WeaviateTenantGetError: INVALID,
    vendor.WeaviateAddInvalidPropertyError: INVALID,
    vendor.WeaviateInsertInvalidPropertyError: INVALID,
    vendor.WeaviateInsertManyAllFailedError: FAILED,
    vendor.WeaviateGRPCUnavailableError: NO_GRPC,
    vendor.WeaviateClosedClientError: UNREACHABLE,
    vendor.WeaviateConnectionError: UNREACHABLE,
    vendor.WeaviateUnsupportedFeatureError: INVALID,
    vendor.WeaviateTimeoutError: LATE,
    vendor.WeaviateRetryError: UNREACHABLE,
    vendor.WeaviateAgentsNotInstalledError: FAILED,
    vendor.WeaviateProtobufIncompatibility: FAILED,
    vendor._BatchStreamShutdownError: FAILED,
    NotServing: NO_GRPC,
    TooLate: LATE,
    BodyTooLarge: (AnswerTooLarge, "The answer is too large; ask for less"),
    PoolExhausted: (DatabasePoolExhausted, "Every Weaviate connection of this process is in use"),
    httpx.TimeoutException: LATE,
    httpx.HTTPError: UNREACHABLE,
    httpx.StreamError: UNREACHABLE,
    TimeoutError: LATE,
    OSError: UNREACHABLE,
}
TRANSLATED: tuple[type[Exception], ...] = (
    *(kind for kind in CLASS_RULES if issubclass(kind, Exception)),
    GrpcFailed,
)


def translate(error: Exception) -> DatabaseError:
    """Our error: by gRPC code, by HTTP status, by class."""
    if isinstance(error, GrpcFailed):
        kind, detail = GRPC_RULES.get(error.code, FAILED)
        return kind(NAME, detail, vendor_code=error.code.name)
    status = error.status_code if isinstance(error, vendor.UnexpectedStatusCodeError) else None
    by_class = next((CLASS_RULES[base] for base in type(error).__mro__ if base in CLASS_RULES), FAILED)
    kind, detail = STATUS_RULES.get(status or 0) or by_class
    return kind(NAME, detail, vendor_code=str(status) if status else type(error).__name__)
