"""What a worker does about a target: reconnect a database, find a service's living instances. Each proves health or says what it saw."""

from collections.abc import Mapping
from dataclasses import replace

import structlog

from gateway.clock import Clock
from gateway.configuration.model import Instance, Service
from gateway.errors import GatewayError
from gateway.recovery.credentials import Credentials
from gateway.recovery.ledger.model import Claim, Tried
from gateway.recovery.ledger.ports import DatabaseSource, Discovery, Http, Strategy
from gateway.recovery.model import Action, FaultType
from gateway.targets import CAPABILITY, CONFIGURATION_SERVICE, DATABASE, SERVICE, kind_of, name_of

log = structlog.get_logger(__name__)

PING_SECONDS = 2.0
PROBE_SECONDS = 2.0
PROBES_SECONDS = 8.0  # for all instances of a service together: a lease lasts longer
PROBE_MAX_BYTES = 64 * 1024
WELL = 400  # a health endpoint that answers below this says that its instance is well
NO_ENDPOINT = frozenset({404, 405})


class Look:
    """Ask a database how it is, and change nothing: for what only time heals."""

    def __init__(self, databases: DatabaseSource) -> None:
        self._databases = databases

    def __call__(self, claim: Claim) -> Tried:
        try:
            database = self._databases.get(name_of(claim.intent.target))
        except GatewayError as error:
            return Tried(healthy=False, detail=error.detail, hopeless=True)  # it is configured no more
        try:
            version = database.ping(PING_SECONDS).version
        except GatewayError as error:
            return Tried(healthy=False, detail=f"{error.code}: {error.detail}")
        return Tried(healthy=True, detail=f"{database.engine} {version} answers")


class Reconnect:
    """Close this process's connections to a database, open new ones and ask it: the target is back, or it is not.

    One that answers before anything was tried is left alone: it is well by itself. New connections are opened with the credentials of now.
    """

    def __init__(self, databases: DatabaseSource, credentials: Credentials) -> None:
        self._databases = databases
        self._credentials = credentials
        self._look = Look(databases)

    def __call__(self, claim: Claim) -> Tried:
        first = None if claim.failed else self._look(claim)
        if first and (first.healthy or first.hopeless):
            return replace(first, already=first.healthy)
        try:
            database = self._databases.get(name_of(claim.intent.target))
            self._credentials.renew(claim.intent.target, self._credentials.version(claim.intent.target))
            database.close()
            database.connect()
        except GatewayError as error:
            return Tried(healthy=False, detail=f"{error.code}: {error.detail}")
        return self._look(claim)


class UnlessWell:
    """Begin a recovery flow only when its target is broken still: one that was down with the broker is back before any worker hears of it.

    Only a database that could not be reached proves by a ping that it is well. What an earlier worker may have begun is seen through.
    """

    def __init__(self, look: Strategy, run_flow: Strategy) -> None:
        self._look = look
        self._run_flow = run_flow

    def __call__(self, claim: Claim) -> Tried:
        begun = claim.execution_id is not None or claim.attempt > len(claim.failed) + 1
        if not begun and kind_of(claim.intent.target) == DATABASE and claim.intent.fault_type == FaultType.DATABASE_CONNECTION.value:
            seen = self._look(claim)
            if seen.healthy:
                return replace(seen, already=True)
        return self._run_flow(claim)


class Instances:
    """Asks the instances of a service how they are."""

    def __init__(self, http: Http, clock: Clock) -> None:
        self._http = http
        self._clock = clock

    def list_ill(self, service: Service) -> list[str]:
        """Base URLs of the instances that did not answer well in time; those for which no time was left are left alone."""
        deadline = self._clock.monotonic() + PROBES_SECONDS
        ill = []
        for instance in service.instances:
            left = deadline - self._clock.monotonic()
            if left <= 0:
                break
            if not self._is_well(instance, min(left, PROBE_SECONDS)):
                ill.append(instance.base_url)
        return ill

    def _is_well(self, instance: Instance, timeout_seconds: float) -> bool:
        """By its health endpoint; an instance that declared none is well when it answers anything at all."""
        path = instance.health_endpoint or "/"
        url = instance.base_url + (path if path.startswith("/") else f"/{path}")
        try:
            answer = self._http.request("GET", url, timeout_seconds=timeout_seconds, max_bytes=PROBE_MAX_BYTES)
        except GatewayError as error:
            log.info("instance_probe_failed", instance=instance.id, code=error.code)
            return False
        return instance.health_endpoint is None or answer.status < WELL or answer.status in NO_ENDPOINT


class Rediscover:
    """Ask the registry anew where a service is, or who has a capability. One that was registered all the time has to answer as well."""

    def __init__(self, services: Discovery, instances: Instances) -> None:
        self._services = services
        self._instances = instances

    def __call__(self, claim: Claim) -> Tried:
        target = claim.intent.target
        find = self._services.rediscover_capable if kind_of(target) == CAPABILITY else self._services.rediscover
        try:
            service = find(name_of(target))
        except GatewayError as error:
            return Tried(healthy=False, detail=f"{error.code}: {error.detail}")
        count = len(service.instances)
        if claim.intent.fault_type != FaultType.SERVICE_DISCOVERY.value and len(self._instances.list_ill(service)) == count:
            return Tried(healthy=False, detail=f"None of its {count} registered instances is well")
        return Tried(healthy=True, detail=f"{count} of its instances are registered")


class Failover:
    """Ask the registry anew, ask each instance how it is, and turn calls away from those that do not answer.

    When all of them are well before anything was tried, there is nothing to turn away from: the service is well by itself.
    """

    def __init__(self, services: Discovery, instances: Instances) -> None:
        self._services = services
        self._instances = instances

    def __call__(self, claim: Claim) -> Tried:
        try:
            service = self._services.rediscover(name_of(claim.intent.target))
        except GatewayError as error:
            return Tried(healthy=False, detail=f"{error.code}: {error.detail}")
        ill, count = self._instances.list_ill(service), len(service.instances)
        if len(ill) == count:
            return Tried(healthy=False, detail=f"None of its {count} instances is well")
        already = not ill and not claim.failed
        return Tried(healthy=True, already=already, detail=f"{count - len(ill)} of its {count} instances are well", avoid=tuple(ill))


class AskRegistry:
    """The Configuration Service discovers all others and is discovered by nobody: it is back when it answers at its own address."""

    def __init__(self, services: Discovery, otherwise: Strategy) -> None:
        self._services = services
        self._otherwise = otherwise

    def __call__(self, claim: Claim) -> Tried:
        if claim.intent.target != CONFIGURATION_SERVICE:
            return self._otherwise(claim)
        try:
            self._services.ping()
        except GatewayError as error:
            return Tried(healthy=False, detail=f"{error.code}: {error.detail}")
        return Tried(healthy=True, already=not claim.failed, detail="It answers")


class Probe:
    """Is the target well by now? For what only time heals."""

    def __init__(self, by_kind: Mapping[str, Strategy]) -> None:
        self._by_kind = by_kind

    def __call__(self, claim: Claim) -> Tried:
        strategy = self._by_kind.get(kind_of(claim.intent.target))
        if strategy is None:
            return Tried(healthy=False, detail="Nothing can be asked of this target", hopeless=True)
        return strategy(claim)


def strategies(
    databases: DatabaseSource, services: Discovery, instances: Instances, run_flow: Strategy, credentials: Credentials | None = None
) -> Mapping[Action, Strategy]:
    """What is done, by action. An action that is not here is nothing a worker can do."""
    failover = AskRegistry(services, Failover(services, instances))
    rediscover = Rediscover(services, instances)
    look = Look(databases)
    probe = Probe({DATABASE: look, SERVICE: failover, CAPABILITY: rediscover})
    return {
        Action.RECONNECT_DATABASE: Reconnect(databases, credentials or Credentials()),
        Action.REFRESH_DISCOVERY: AskRegistry(services, rediscover),
        Action.FAILOVER_INSTANCE: failover,
        Action.RUN_RECOVERY_FLOW: UnlessWell(look, run_flow),
        Action.RETRY: probe,
    }
