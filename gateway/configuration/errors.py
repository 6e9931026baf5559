"""What can go wrong with configuration, service discovery and flow definitions.

NotFound        ── ConfigNotFound, ServiceNotFound, FlowNotFound
Conflict        ── FlowExists
InvalidInput    ── FlowRefused                the registry's own rules refuse the definition
Unavailable     ── ConfigurationUnavailable   the service cannot serve now and no copy is known
                     ├── CredentialsRefused   it does not accept our token or key; an operator must act
                     └── NotOffered           it has no such endpoint
"""

from gateway.errors import Conflict, InvalidInput, NotFound, Unavailable


class ConfigNotFound(NotFound):
    """No layer holds a value for this key."""

    code = "CONFIG_NOT_FOUND"


class ServiceNotFound(NotFound):
    """No healthy instance of the service is registered."""

    code = "SERVICE_DISCOVERY_ERROR"


class FlowNotFound(NotFound):
    """No flow has this id."""

    code = "FLOW_NOT_FOUND"


class FlowExists(Conflict):
    """A flow with this id, or with this name and version, is registered already."""

    code = "FLOW_EXISTS"


class FlowRefused(InvalidInput):
    """The Flow Registry refuses the definition; `errors` are its own findings, as pointers into the document."""


class ConfigurationUnavailable(Unavailable):
    """The Configuration Service cannot serve now, and no last-known-good copy stands in. Retryable.

    Attributes:
        status: the HTTP status it answered; 0 when it did not answer.
        sent: whether any byte of the request may have reached it.
    """

    code = "CONFIGURATION_UNAVAILABLE"

    def __init__(self, detail: str, *, retry_after_seconds: float | None = None, status: int = 0, sent: bool = True) -> None:
        super().__init__(detail, retry_after_seconds=retry_after_seconds)
        self.status = status
        self.sent = sent


class CredentialsRefused(ConfigurationUnavailable):
    """The Configuration Service refuses our token or key. Trying again does not help; an operator must act."""

    code = "CONFIGURATION_CREDENTIALS_REFUSED"
    retryable = False


class NotOffered(ConfigurationUnavailable):
    """This Configuration Service has no such endpoint. Remembered for a while, then asked again."""

    code = "NOT_OFFERED"
    retryable = False
