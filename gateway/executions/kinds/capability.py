"""Any type that is not ours: the node goes to a healthy service that registered the type among its capabilities."""

from typing import Any
from urllib.parse import quote

from gateway.clock import Clock
from gateway.errors import FieldError, InvalidInput
from gateway.executions.errors import ServiceUndiscovered
from gateway.executions.kinds.call import DEFAULT_TIMEOUT_MS, NodeCall, check_status, json_bytes
from gateway.executions.kinds.calling import ServiceCall, ServiceCaller
from gateway.executions.kinds.request import read_timeout_seconds
from gateway.executions.ports import ServiceSource

SUCCESS = range(200, 300)
SAFE_IN_PATH = "/:@!$&'()*+,;="  # a type is any word: no sign of it begins a query or a fragment (RFC 3986 §3.3)


class CapabilityKind:
    """`POST {metadata.nodeEndpoint, default /nodes/<type>}`; the output is the JSON it answers."""

    def __init__(self, services: ServiceSource, caller: ServiceCaller, clock: Clock) -> None:
        self._services = services
        self._caller = caller
        self._clock = clock

    def __call__(self, call: NodeCall) -> Any:
        """Call the service.

        Raises:
            BreakerOpen, ServiceUndiscovered, ServiceOverloaded, AnswerUnexpected, Unavailable, UpstreamTimeout, UpstreamInvalid.
        """
        service = self._services.find_capable(call.type)
        if service is None:
            raise ServiceUndiscovered(f"No healthy service has the capability {call.type!r}", capability=call.type)
        answer = self._caller.call(
            service,
            ServiceCall(
                method="POST",
                path=lambda instance: _endpoint(call.type, instance.metadata.get("nodeEndpoint")),
                headers={"Idempotency-Key": call.idempotency_key, "Content-Type": "application/json", "Accept": "application/json"},
                body=json_bytes(_request_of(call)),
                timeout_seconds=read_timeout_seconds(call.config.get("timeoutMs", DEFAULT_TIMEOUT_MS)),
                check=lambda answer: check_status(answer, service.name, SUCCESS, self._clock.now()),
                fits=lambda instance: call.type in instance.capabilities,
                is_wanted=call.is_wanted,
                may_repeat=call.may_repeat,
            ),
        )
        return answer.json() if answer.body else None


def _endpoint(node_type: str, declared: object) -> str:
    if declared is None:
        return f"/nodes/{quote(node_type, safe=SAFE_IN_PATH)}"
    if not isinstance(declared, str) or not declared.startswith("/"):
        raise InvalidInput("The service registered an unusable nodeEndpoint", [FieldError("/metadata/nodeEndpoint", "must begin with /")])
    return declared


def _request_of(call: NodeCall) -> dict[str, Any]:
    return {
        "executionId": call.execution_id,
        "flowId": call.flow_id,
        "nodeId": call.node_id,
        "type": call.type,
        "config": call.config,
        "inputs": call.inputs,
        "parameters": call.parameters,
    }
