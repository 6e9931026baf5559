"""From an exception to a Fault: our own types, vendor codes and types, errno, text, then what was learned. Pure: no I/O, ≤ 100 µs a fault.

A rule by code stands before a rule by vendor type only where the code is the finer fact (a psycopg2.OperationalError may be
a timeout, a lost connection or a wrong password); both stand before text.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from gateway.databases.errors import (
    DatabaseAuthenticationFailed,
    DatabaseDisabled,
    DatabaseError,
    DatabaseFailed,
    DatabaseTimeout,
    DatabaseUnreachable,
    StatementConflict,
    StatementRefused,
)
from gateway.errors import (
    Conflict,
    Forbidden,
    GatewayError,
    InvalidInput,
    NotFound,
    RateLimited,
    Unauthenticated,
    Unavailable,
    UpstreamInvalid,
    UpstreamTimeout,
)
from gateway.recovery import rules
from gateway.recovery.breaker_model import BreakerOpen
from gateway.recovery.facts import Code, errno_of, vendor_of, verdict_of_text, verdict_of_type
from gateway.recovery.fingerprint import fingerprint, kernel, mask, own_frames
from gateway.recovery.model import Fault, FaultType, FlowOrigin
from gateway.recovery.rules import AS_DATABASE, TABLES, CodeKind, Verdict
from gateway.targets import DATABASE, database_target, kind_of, service_target

CAUSES_WALKED = 6
TYPE_CODES = frozenset(FaultType)  # an error class may name its type outright by its code
FLOW_ROOMS = ("gateway.flows", "gateway.executions")
DATABASE_NAMES = frozenset(("postgres", "dragonflydb", "clickhouse", "weaviate", "arangodb", "redis"))
UNEXPECTED = "Something unexpected went wrong"

OWN_TYPES: dict[type[GatewayError], Verdict] = {
    DatabaseAuthenticationFailed: rules.REFUSED,
    DatabaseUnreachable: rules.UNREACHABLE,
    DatabaseDisabled: rules.EXISTS,
    DatabaseFailed: rules.UNKNOWN,
    InvalidInput: rules.INVALID,
    NotFound: rules.MISSING,
    Conflict: rules.EXISTS,
    Unauthenticated: rules.UNAUTHENTICATED,
    Forbidden: rules.FORBIDDEN,
    RateLimited: rules.THROTTLED,
    Unavailable: rules.UPSTREAM,
    UpstreamInvalid: rules.UPSTREAM_BROKEN,
    UpstreamTimeout: rules.SLOW,
}
# An own type that is too coarse for these lets the engine's code narrow it.
NARROWED = (DatabaseTimeout, DatabaseFailed, StatementConflict)
CODE_KINDS = {
    "postgres": CodeKind.SQLSTATE,
    "clickhouse": CodeKind.CLICKHOUSE,
    "dragonflydb": CodeKind.REDIS,
    "redis": CodeKind.REDIS,
    "arangodb": CodeKind.ARANGO,
    "weaviate": CodeKind.GRPC,
}
# What these say repeats the client's own words: their class and our frames tell them apart, or clients could make patterns without end.
CLIENTS_WORDS = (InvalidInput, NotFound, Conflict)
Judgement = tuple[Verdict, float, str | None]  # verdict, confidence, vendor code
Learned = Callable[[str, str], Verdict | None]  # of a source, and the kernel of a message
LEARNED_CONFIDENCE = 0.3


def nothing_learned(_source: str, _kernel: str) -> Verdict | None:
    """Where no patterns are at hand."""
    return None


def classify(
    error: BaseException,
    *,
    source: str | None = None,
    target: str | None = None,
    origin: FlowOrigin | None = None,
    learned: Learned = nothing_learned,
) -> Fault:
    """Classify one exception.

    Args:
        source: where it was caught, when the exception cannot tell: one of the six database names, or a room.
        target: what is broken, as `database:<name>` or `service:<name>`, when the exception cannot tell.
        origin: the flow, execution and node it happened in.
        learned: what faults of the same source were that said the same; asked when no table knows this one. No I/O.
    """
    chain = tuple(_causes(error))
    root = chain[-1]
    where = _source(error, source, chain)
    verdict, confidence, code = _judge(chain, where)
    template = mask(_text(root))
    sameness = _sameness(root, template)
    if verdict.type is FaultType.UNKNOWN and (known_kind := learned(where, sameness)):
        verdict, confidence = known_kind, LEARNED_CONFIDENCE
    frames = own_frames(error.__traceback__)
    known = error if isinstance(error, GatewayError) else None
    fault = Fault(
        type=verdict.type,
        retryable=verdict.retryable,
        source=where,
        confidence=confidence,
        fingerprint=fingerprint(fault_type=verdict.type, source=where, vendor_code=code, frames=frames, template=sameness),
        error_class=_class_name(root),
        detail=known.detail if known else UNEXPECTED,
        template=template,
        vendor_code=code,
        target=_target(error, where) or target,
        retry_after_seconds=known.retry_after_seconds if known else None,
        fallback_available=known.fallback_available if known else False,
        errors=known.errors if isinstance(known, InvalidInput) else (),
        origin=origin,
    )
    refusal = next((each for each in chain if isinstance(each, BreakerOpen)), None)
    return _refused(fault, refusal.blamed) if refusal else fault


def _refused(fault: Fault, cause: Fault | None) -> Fault:
    """That a breaker is open is no kind of fault of its own: what opened it is, and counts."""
    return replace(fault, refused=True, cause=cause, fingerprint=cause.fingerprint if cause else fault.fingerprint)


def _sameness(root: BaseException, template: str) -> str:
    return _class_name(root) if isinstance(root, CLIENTS_WORDS) else kernel(template, _class_name(root))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, then what it was raised from; a wrapped driver error (SQLAlchemy's `orig`) counts as a cause."""
    current: BaseException | None = error
    for _ in range(CAUSES_WALKED):
        if current is None:
            return
        yield current
        current = getattr(current, "orig", None) or current.__cause__


def _judge(chain: tuple[BaseException, ...], source: str) -> Judgement:
    first = chain[0]
    if isinstance(first, GatewayError):
        return _judge_own(first, chain, source)
    for depth, error in enumerate(chain):
        if isinstance(error, GatewayError):
            verdict, confidence, code = _judge_own(error, chain[depth:], source)
            return verdict, confidence * 0.9, code
    return _judge_foreign(chain, source)


def _judge_own(error: GatewayError, chain: tuple[BaseException, ...], source: str) -> Judgement:
    code = _own_code(error) or next(filter(None, (_foreign_code(cause) for cause in chain[1:])), None)
    text = code[1] if code else None
    if isinstance(error, NARROWED) and code and (narrowed := _verdict_of_code(code, source)):
        return narrowed, 1.0, text
    if error.code in TYPE_CODES:
        return Verdict(FaultType(error.code), error.retryable), 1.0, text
    kind = next((base for base in type(error).__mro__ if base in OWN_TYPES), None)
    if kind is None:
        return (rules.FLOW if type(error).__module__.startswith(FLOW_ROOMS) else rules.UNKNOWN), 0.9, text
    verdict = OWN_TYPES[kind]
    if kind_of(_own_target(error) or "") == DATABASE:
        verdict = AS_DATABASE.get(verdict, verdict)
    return Verdict(verdict.type, error.retryable), 1.0, text


def _judge_foreign(chain: tuple[BaseException, ...], source: str) -> Judgement:
    database = source in DATABASE_NAMES or source == "broker"
    codes = [code for error in chain if (code := _foreign_code(error))]
    text = codes[0][1] if codes else None
    for code in codes:
        if verdict := _verdict_of_code(code, source):
            return verdict, 0.95, text
    for error in chain:
        if verdict := verdict_of_type(error):
            return (AS_DATABASE.get(verdict, verdict) if database else verdict), 0.9, text
    for error in chain:
        if verdict := verdict_of_text(source, _text(error)):
            return verdict, 0.5, text
    return rules.UNKNOWN, 0.1, text


def _verdict_of_code(code: Code, source: str) -> Verdict | None:
    kind, value = code
    table = TABLES[kind]
    verdict = table.get(value) or (table.get(value[:2]) if kind is CodeKind.SQLSTATE else None)
    if verdict and source in (*DATABASE_NAMES, "broker") and kind in (CodeKind.HTTP, CodeKind.ERRNO):
        return AS_DATABASE.get(verdict, verdict)
    return verdict


def _own_code(error: GatewayError) -> Code | None:
    value = getattr(error, "vendor_code", None)
    if not value or isinstance(error, StatementRefused):  # its code is a word of the statement
        return None
    if not isinstance(error, DatabaseError):  # a called service's own answer: 400 and 503 are different faults
        return (CodeKind.HTTP, value)
    kind = CODE_KINDS.get(error.database, CodeKind.HTTP)
    return (CodeKind.HTTP if kind is CodeKind.GRPC and value.isdigit() else kind), value


def _foreign_code(error: BaseException) -> Code | None:
    vendor = vendor_of(error)
    return (vendor.read_code(error) if vendor else None) or errno_of(error)


def _source(error: BaseException, given: str | None, chain: tuple[BaseException, ...]) -> str:
    if isinstance(error, DatabaseError):
        return error.database
    if given:
        return given
    vendor = next(filter(None, map(vendor_of, chain)), None)
    if vendor:
        return vendor.source
    module = type(error).__module__
    return ".".join(module.split(".")[:2]) if module.startswith("gateway.") else "unknown"


def _target(error: BaseException, source: str) -> str | None:
    if isinstance(error, DatabaseError) or source in DATABASE_NAMES:
        return database_target(source)
    return _own_target(error)


def _own_target(error: BaseException) -> str | None:
    """An error of ours may carry `target` (as `database:<name>`), or `service`, a service's name."""
    target, service = getattr(error, "target", None), getattr(error, "service", None)
    if isinstance(target, str) and ":" in target:
        return target
    return service_target(service) if isinstance(service, str) else None


def _class_name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _text(error: BaseException) -> str:
    """What an error says: a driver's `message` is bare where its str() repeats the code; a broken __str__ leaves the class."""
    message = getattr(error, "message", None)
    if isinstance(message, str) and message.strip():
        return message
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - a broken __str__ must not break the error path
        return type(error).__qualname__
