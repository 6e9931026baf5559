"""One call to a discovered service, by way of its breaker: another instance when one refuses, another try when that is harmless."""

import itertools
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import structlog

from gateway.clock import Clock
from gateway.configuration.model import Instance, Service
from gateway.errors import GatewayError
from gateway.executions.errors import NodeNotHeld
from gateway.executions.kinds.call import MAX_ANSWER_BYTES, always
from gateway.executions.ports import Http, Recovery, ServiceSource
from gateway.outbound.answer import Answer
from gateway.outbound.errors import UpstreamUnreachable
from gateway.targets import service_target

log = structlog.get_logger(__name__)

AVOID_SECONDS = 5.0  # an instance that refused is called again after this, or when there is no other
MOST_AVOIDED = 1000
NOT_EVEN_WITH_A_KEY = frozenset({"PATCH"})  # everything else is idempotent by RFC 9110 §9.2.2, or by the key that each call carries


def _any_instance(_instance: Instance) -> bool:
    return True


@dataclass(frozen=True)
class ServiceCall:
    """What is sent, to whichever instance.

    Attributes:
        path: the path on an instance.
        check: raises for an answer that is none of the expected.
        fits: whether an instance can take this call at all.
        is_wanted: whether it is to be made again (`NodeCall.is_wanted`).
        may_repeat: whether it may be made again when an instance may have received it (`NodeCall.may_repeat`).
    """

    method: str
    path: Callable[[Instance], str]
    headers: Mapping[str, str]
    body: bytes | None
    timeout_seconds: float
    check: Callable[[Answer], None]
    fits: Callable[[Instance], bool] = field(default=_any_instance)
    is_wanted: Callable[[], bool] = always
    may_repeat: bool = True


class ServiceCaller:
    """Safe for threads."""

    def __init__(self, services: ServiceSource, http: Http, clock: Clock, recovery: Recovery) -> None:
        self._services = services
        self._http = http
        self._clock = clock
        self._recovery = recovery
        self._lock = threading.Lock()
        self._avoided: dict[str, float] = {}

    def call(self, service: Service, call: ServiceCall) -> Answer:
        """The answer that `call.check` accepts.

        Raises:
            BreakerOpen: the service failed too often lately and was not called. Whatever `check` raises.
            NodeNotHeld: it failed, and was cancelled before it could be made again.
            UpstreamUnreachable, UpstreamTimeout, UpstreamInvalid, InvalidInput.
        """
        attempts, tried, others = itertools.count(), set[str](), list[Instance]()

        def attempt(left_seconds: float) -> Answer:
            if next(attempts) and not call.is_wanted():
                raise NodeNotHeld("The node was cancelled or taken over; its call is not made again")
            instance = others.pop() if others else self._choose(service)
            tried.add(instance.base_url)
            answer = self._send(instance, call, left_seconds)
            call.check(answer)
            return answer

        def find_other(unreached: bool) -> bool:
            others.extend(self._find_other(service, tried, call, fresh=unreached))
            return bool(others)

        return self._recovery.run(
            service_target(service.name),
            attempt,
            timeout_seconds=call.timeout_seconds,
            repeatable=call.may_repeat and call.method not in NOT_EVEN_WITH_A_KEY,
            find_other=find_other,
        )

    def _send(self, instance: Instance, call: ServiceCall, timeout_seconds: float) -> Answer:
        url = instance.base_url + call.path(instance)
        try:
            return self._http.request(
                call.method, url, headers=call.headers, body=call.body, timeout_seconds=timeout_seconds, max_bytes=MAX_ANSWER_BYTES
            )
        except UpstreamUnreachable as error:
            if not error.sent:
                self._avoid(instance)
            raise

    def _choose(self, service: Service) -> Instance:
        """The next in turn that did not refuse lately; the next in turn when all did."""
        for _ in service.instances:
            instance = self._services.choose_instance(service)
            if not self._is_avoided(instance):
                return instance
        return self._services.choose_instance(service)

    def _find_other(self, service: Service, tried: Collection[str], call: ServiceCall, *, fresh: bool) -> list[Instance]:
        """Another instance, or none: of those known, else, when `fresh`, of those that the registry knows now."""
        found = self._pick(service, tried, call)
        if not found and fresh:
            try:
                found = self._pick(self._services.rediscover(service.name), tried, call)
            except GatewayError as error:  # what is reported is the refusal; that nobody else is known adds nothing
                log.info("rediscovery_failed", service=service.name, code=error.code)
        if found:
            log.warning("service_failed_over", service=service.name, failed=sorted(tried), chosen=found[0].base_url)
        return found

    def _pick(self, service: Service, tried: Collection[str], call: ServiceCall) -> list[Instance]:
        fitting = (each for each in service.instances if call.fits(each) and each.base_url not in tried and not self._is_avoided(each))
        return list(itertools.islice(fitting, 1))

    def _is_avoided(self, instance: Instance) -> bool:
        return self._avoided.get(instance.base_url, 0.0) > self._clock.monotonic()

    def _avoid(self, instance: Instance) -> None:
        with self._lock:
            now = self._clock.monotonic()
            if len(self._avoided) >= MOST_AVOIDED:
                self._avoided = {url: until for url, until in self._avoided.items() if until > now}
            self._avoided[instance.base_url] = now + AVOID_SECONDS
