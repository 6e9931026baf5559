"""The kinds of problems a client can meet: the pages behind the `type` of a problem."""

from dataclasses import dataclass

from gateway.recovery.model import FaultType


@dataclass(frozen=True)
class ProblemType:
    """One kind: its page below /problems/, its title, and what it means to a client."""

    slug: str
    title: str
    meaning: str

    @property
    def path(self) -> str:
        """What a problem carries as `type` (RFC 9457 §3.1.1)."""
        return f"/problems/{self.slug}"


PROBLEM_TYPES: dict[FaultType, ProblemType] = {
    FaultType.DATABASE_CONNECTION: ProblemType(
        "database-connection",
        "A database cannot be reached",
        "One of the six databases does not serve now. The gateway reconnects by itself; try again after Retry-After.",
    ),
    FaultType.AUTHENTICATION: ProblemType(
        "authentication",
        "The caller is not known",
        "The request carries no token, or one that is not known. Send Authorization: Bearer … or X-API-Key.",
    ),
    FaultType.AUTHORIZATION: ProblemType(
        "authorization",
        "The caller may not do this",
        "The token is known but lacks the scope that the endpoint asks for. An operator can add it to the token.",
    ),
    FaultType.RATE_LIMIT: ProblemType(
        "rate-limit",
        "Too many requests",
        "The client used up its share of the window. RateLimit tells what is left, Retry-After when the window ends.",
    ),
    FaultType.SERVICE_DISCOVERY: ProblemType(
        "service-discovery",
        "A service cannot be found",
        "No healthy instance of the service is registered, or the Configuration Service does not answer.",
    ),
    FaultType.VALIDATION: ProblemType(
        "validation",
        "The request is not valid",
        "The request breaks a rule; error.errors names each field by its JSON pointer. The same request will fail again.",
    ),
    FaultType.NOT_FOUND: ProblemType(
        "not-found",
        "There is no such thing",
        "The path, or what it names, does not exist.",
    ),
    FaultType.CONFLICT: ProblemType(
        "conflict",
        "The state does not allow this",
        "What should be made exists already, or what should be changed is in a state that does not allow it.",
    ),
    FaultType.TIMEOUT: ProblemType(
        "timeout",
        "A dependency was too slow",
        "A database or service did not answer in time. Whether it carried the call out is not known.",
    ),
    FaultType.UPSTREAM: ProblemType(
        "upstream",
        "A dependency cannot serve",
        "A service behind the gateway is down or answered something unusable.",
    ),
    FaultType.FLOW: ProblemType(
        "flow",
        "A flow failed",
        "A node of a flow failed in a way of its own: an expression without a value, an unexpected answer.",
    ),
    FaultType.UNKNOWN: ProblemType(
        "unknown",
        "Something unexpected went wrong",
        "The gateway met an error that it does not know. It is logged under the requestId.",
    ),
}
BY_SLUG = {kind.slug: kind for kind in PROBLEM_TYPES.values()}
