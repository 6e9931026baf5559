"""What a worker does about a target: reconnect a database, find a service's living instances. Each proves health or says what it saw."""

from collections.abc import Mapping

import structlog

from gateway.clock import Clock
from gateway.configuration.model import Instance, Service
from gateway.errors import GatewayError
from gateway.recovery.ledger.model import Claim, Tried
from gateway.recovery.ledger.ports import DatabaseSource, Discovery, Http, Strategy
from gateway.recovery.model import Action
from gateway.recovery.targets import CONFIGURATION_SERVICE

log = structlog.get_logger(__name__)

PING_SECONDS = 2.0
PROBE_SECONDS = 2.0
PROBES_SECONDS = 8.0  # for all instances of a service together: a lease lasts longer
PROBE_MAX_BYTES = 64 * 1024
WELL = 400  # a health endpoint that answers below this says that its instance is well
NO_ENDPOINT = frozenset({404, 405})


class Reconnect:
    """Close this process's connections to a database, open new ones and ask it: the target is back, or it is not."""

    def __init__(self, databases: DatabaseSource) -> None:
        self._databases = databases

    def __call__(self, claim: Claim) -> Tried:
        name = name_of(claim.intent.target)
        try:
            database = self._databases.get(name)
        except GatewayError as error:
            return Tried(healthy=False, detail=error.detail, hopeless=True)  # it is configured no more
        try:
            database.close()
            database.connect()
            version = database.ping(PING_SECONDS).version
        except GatewayError as error:
            return Tried(healthy=False, detail=f"{error.code}: {error.detail}")
        return Tried(healthy=True, detail=f"{database.engine} {version} answers")


class Rediscover:
    """Ask the registry anew where a service is."""

    def __init__(self, services: Discovery) -> None:
        self._services = services

    def __call__(self, claim: Claim) -> Tried:
        try:
            service = self._services.rediscover(name_of(claim.intent.target))
        except GatewayError as error:
            return Tried(healthy=False, detail=f"{error.code}: {error.detail}")
        return Tried(healthy=True, detail=f"{len(service.instances)} of its instances are registered")


class Failover:
    """Ask the registry anew, ask each instance how it is, and turn calls away from those that do not answer."""

    def __init__(self, services: Discovery, http: Http, clock: Clock) -> None:
        self._services = services
        self._http = http
        self._clock = clock

    def __call__(self, claim: Claim) -> Tried:
        try:
            service = self._services.rediscover(name_of(claim.intent.target))
        except GatewayError as error:
            return Tried(healthy=False, detail=f"{error.code}: {error.detail}")
        ill = self._find_ill(service)
        count = len(service.instances)
        if len(ill) == count:
            return Tried(healthy=False, detail=f"None of its {count} instances is well")
        return Tried(healthy=True, detail=f"{count - len(ill)} of its {count} instances are well", avoid=tuple(ill))

    def _find_ill(self, service: Service) -> list[str]:
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


class AskRegistry:
    """The Configuration Service discovers all others and is discovered by nobody: it is back when it answers at its own address."""

    def __init__(self, services: Discovery, otherwise: Strategy) -> None:
        self._services = services
        self._otherwise = otherwise

    def __call__(self, claim: Claim) -> Tried:
        if claim.intent.target != CONFIGURATION_SERVICE:
            return self._otherwise(claim)
        try:
            stale = self._services.list_services().stale
        except GatewayError as error:
            return Tried(healthy=False, detail=f"{error.code}: {error.detail}")
        return Tried(healthy=not stale, detail="It does not answer" if stale else "It answers")


class Probe:
    """Is the target well by now? For what only time heals."""

    def __init__(self, by_kind: Mapping[str, Strategy]) -> None:
        self._by_kind = by_kind

    def __call__(self, claim: Claim) -> Tried:
        strategy = self._by_kind.get(claim.intent.target.partition(":")[0])
        if strategy is None:
            return Tried(healthy=False, detail="Nothing can be asked of this target", hopeless=True)
        return strategy(claim)


def strategies(databases: DatabaseSource, services: Discovery, http: Http, clock: Clock, run_flow: Strategy) -> Mapping[Action, Strategy]:
    """What is done, by action. An action that is not here is nothing a worker can do."""
    reconnect, failover = Reconnect(databases), AskRegistry(services, Failover(services, http, clock))
    probe = Probe({"database": reconnect, "service": failover})
    return {
        Action.RECONNECT_DATABASE: reconnect,
        Action.REFRESH_DISCOVERY: AskRegistry(services, Rediscover(services)),
        Action.FAILOVER_INSTANCE: failover,
        Action.RUN_RECOVERY_FLOW: run_flow,
        Action.RETRY: probe,
    }


def name_of(target: str) -> str:
    """`postgres` of `database:postgres`."""
    return target.partition(":")[2]
