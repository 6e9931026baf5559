"""`service`: an HTTP call to a discovered service; output `{status, headers, body}`, body parsed when it is JSON."""

from typing import Any

from gateway.clock import Clock
from gateway.configuration.model import Service
from gateway.errors import NotFound
from gateway.executions.errors import ServiceUndiscovered
from gateway.executions.kinds.call import NodeCall, body_of, check_status
from gateway.executions.kinds.calling import ServiceCall, ServiceCaller
from gateway.executions.kinds.request import read_request
from gateway.executions.ports import ServiceSource


class ServiceKind:
    """Discovers the service at each attempt, so that a retry may reach another instance."""

    def __init__(self, services: ServiceSource, caller: ServiceCaller, clock: Clock) -> None:
        self._services = services
        self._caller = caller
        self._clock = clock

    def __call__(self, call: NodeCall) -> dict[str, Any]:
        """Call the service.

        Raises:
            InvalidInput: the rendered config is unusable.
            BreakerOpen, ServiceUndiscovered, ServiceOverloaded, AnswerUnexpected, Unavailable, UpstreamTimeout, UpstreamInvalid.
        """
        request = read_request(call.config)
        answer = self._caller.call(
            self._discover(request.service),
            ServiceCall(
                method=request.method,
                path=lambda _: request.path,
                headers={**request.headers, "Idempotency-Key": call.idempotency_key},
                body=request.body,
                timeout_seconds=request.timeout_seconds,
                check=lambda answer: check_status(answer, request.service, request.expect, self._clock.now()),
                is_wanted=call.is_wanted,
                may_repeat=call.may_repeat,
            ),
        )
        return {"status": answer.status, "headers": dict(answer.headers), "body": body_of(answer)}

    def _discover(self, name: str) -> Service:
        try:
            return self._services.discover(name).value
        except NotFound as error:
            raise ServiceUndiscovered(f"No healthy instance of service {name!r} is registered", service=name) from error
