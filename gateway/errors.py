"""The one error tree. HTTP stands only at the edge (`gateway/api/problems.py`); rooms derive their own errors from these.

GatewayError
├── InvalidInput            the caller's input breaks a rule; names each field
│   ├── MalformedInput      it could not be read at all (JSON, encoding)
│   └── KeyReused           an Idempotency-Key came again with another body
├── NotFound                the named thing does not exist
├── Conflict                it exists already, or its state does not allow this
├── Unauthenticated         who are you?
├── Forbidden               known, but the scope is missing
├── RateLimited             too many requests; retry_after_seconds says when
├── Unavailable             a dependency cannot serve now; waiting helps
├── UpstreamInvalid         a dependency answered something unusable
└── UpstreamTimeout         a dependency did not answer in time
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class FieldError:
    """One thing wrong with the input.

    `pointer` is an RFC 6901 JSON pointer into the body (`""` is the whole), or `?name` for a query parameter.
    """

    pointer: str
    detail: str


class GatewayError(Exception):
    """Base of every error the product raises on purpose.

    Attributes:
        code: SCREAMING_CASE name a client can switch on; a class may fix it, an instance may narrow it.
        retryable: whether the same call can succeed later without change.
        detail: one sentence for a client. No driver text, SQL, address with credentials or stack.
        retry_after_seconds: honest waiting time, or None when unknown or useless.
        fallback_available: a fallback can serve this role.
        target: what is broken, as `database:<name>` or `service:<name>`; None when nothing outside is, or nobody said.
    """

    code: ClassVar[str] = "UNKNOWN_ERROR"
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str, *, retry_after_seconds: float | None = None, fallback_available: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after_seconds = retry_after_seconds
        self.fallback_available = fallback_available
        self.target: str | None = None


class InvalidInput(GatewayError):
    """The input breaks a rule. `errors` names each field, at most a hundred of them."""

    code = "VALIDATION_ERROR"

    def __init__(self, detail: str, errors: Iterable[FieldError] = ()) -> None:
        super().__init__(detail)
        self.errors = tuple(errors)[:100]


class MalformedInput(InvalidInput):
    """The body could not be read at all."""


class KeyReused(InvalidInput):
    """The Idempotency-Key was used before with another body (draft-ietf-httpapi-idempotency-key-header)."""

    code = "IDEMPOTENCY_KEY_REUSED"


class NotFound(GatewayError):
    """The named thing does not exist."""

    code = "NOT_FOUND"


class Conflict(GatewayError):
    """It exists already, or its state does not allow this."""

    code = "CONFLICT"


class Unauthenticated(GatewayError):
    """No credential, or one that is not known."""

    code = "AUTHENTICATION_ERROR"


class Forbidden(GatewayError):
    """The caller is known but lacks the scope."""

    code = "FORBIDDEN"


class RateLimited(GatewayError):
    """The caller sent more than its share."""

    code = "RATE_LIMIT_EXCEEDED"
    retryable = True


class Unavailable(GatewayError):
    """A dependency cannot serve now."""

    code = "SERVICE_UNAVAILABLE"
    retryable = True


class UpstreamInvalid(GatewayError):
    """A dependency answered something unusable."""

    code = "UPSTREAM_INVALID"


class UpstreamTimeout(GatewayError):
    """A dependency did not answer in time."""

    code = "UPSTREAM_TIMEOUT"
    retryable = True
