"""What Weaviate's HTTP statuses, gRPC codes and the client's exception classes mean to us. Imported when first used."""

from collections.abc import Mapping

from gateway.databases.bounded_http import BodyTooLarge, TooLate
from gateway.databases.connections import PoolExhausted
from gateway.databases.error_rules import (
    CONFLICT,
    EXHAUSTED,
    FAILED,
    INVALID,
    LATE,
    REFUSES_US,
    STATUS_RULES,
    STRANGER,
    TOO_LARGE,
    UNREACHABLE,
    ClassRules,
    Rule,
    made,
    rule_for,
)
from gateway.databases.errors import DatabaseError, DatabaseUnreachable
from gateway.databases.model import DatabaseName
from gateway.databases.weaviate_client import exceptions as vendor
from gateway.databases.weaviate_client import grpc, httpx

NAME = DatabaseName.WEAVIATE
ENGINE = "Weaviate"
NO_GRPC: Rule = (DatabaseUnreachable, "{engine} does not answer over gRPC")


class GrpcFailed(Exception):
    """A gRPC call failed. Our own, so that the client's retries, which look for gRPC's class, do not see it."""

    def __init__(self, code: grpc.StatusCode) -> None:
        super().__init__(code.name)
        self.code = code


class NotServing(Exception):
    """The gRPC health check answered, but not SERVING."""


# UNKNOWN is not here: the server says it of a missing collection and of failures of its own alike, and only its text tells them apart.
GRPC_RULES: Mapping[grpc.StatusCode, Rule] = {
    grpc.StatusCode.DEADLINE_EXCEEDED: LATE,
    grpc.StatusCode.UNAVAILABLE: NO_GRPC,
    grpc.StatusCode.UNAUTHENTICATED: REFUSES_US,
    grpc.StatusCode.PERMISSION_DENIED: REFUSES_US,
    grpc.StatusCode.INVALID_ARGUMENT: INVALID,
    grpc.StatusCode.NOT_FOUND: INVALID,
    grpc.StatusCode.OUT_OF_RANGE: INVALID,
    grpc.StatusCode.FAILED_PRECONDITION: INVALID,
    grpc.StatusCode.UNIMPLEMENTED: NO_GRPC,
    grpc.StatusCode.ALREADY_EXISTS: CONFLICT,
    grpc.StatusCode.ABORTED: CONFLICT,
    grpc.StatusCode.RESOURCE_EXHAUSTED: UNREACHABLE,
}
# Every exception class of the client; a test fails when a new version brings one that is not here.
CLASS_RULES: ClassRules = {
    vendor.WeaviateBaseError: FAILED,
    vendor.UnexpectedStatusCodeError: FAILED,
    vendor.ResponseCannotBeDecodedError: STRANGER,
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
    BodyTooLarge: TOO_LARGE,
    PoolExhausted: EXHAUSTED,
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
        return made(NAME, ENGINE, GRPC_RULES.get(error.code, FAILED), error.code.name)
    status = error.status_code if isinstance(error, vendor.UnexpectedStatusCodeError) else None
    rule = STATUS_RULES.get(status or 0) or rule_for(type(error), CLASS_RULES)
    return made(NAME, ENGINE, rule, str(status) if status else type(error).__name__)
