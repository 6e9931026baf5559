"""Any type that is not ours: the node goes to a healthy service that registered the type among its capabilities."""

from typing import Any

from gateway.clock import Clock
from gateway.errors import FieldError, InvalidInput
from gateway.executions.errors import ServiceUndiscovered
from gateway.executions.kinds.call import DEFAULT_TIMEOUT_MS, MAX_ANSWER_BYTES, NodeCall, check_status, json_bytes, url_of
from gateway.executions.kinds.request import read_timeout_seconds
from gateway.executions.ports import Http, ServiceSource

SUCCESS = range(200, 300)


class CapabilityKind:
    """`POST {metadata.nodeEndpoint, default /nodes/<type>}`; the output is the JSON it answers."""

    def __init__(self, services: ServiceSource, http: Http, clock: Clock) -> None:
        self._services = services
        self._http = http
        self._clock = clock

    def __call__(self, call: NodeCall) -> Any:
        """Call the service.

        Raises:
            ServiceUndiscovered, ServiceOverloaded, AnswerUnexpected, Unavailable, UpstreamTimeout, UpstreamInvalid.
        """
        service = self._services.find_capable(call.type)
        if service is None:
            raise ServiceUndiscovered(f"No healthy service has the capability {call.type!r}", service=call.type)
        instance = self._services.choose_instance(service)
        answer = self._http.request(
            "POST",
            url_of(instance, _endpoint(call.type, instance.metadata.get("nodeEndpoint"))),
            headers={"Idempotency-Key": call.idempotency_key, "Content-Type": "application/json", "Accept": "application/json"},
            body=json_bytes(_request_of(call)),
            timeout_seconds=read_timeout_seconds(call.config.get("timeoutMs", DEFAULT_TIMEOUT_MS)),
            max_bytes=MAX_ANSWER_BYTES,
        )
        check_status(answer, service.name, SUCCESS, self._clock.now())
        return answer.json() if answer.body else None


def _endpoint(node_type: str, declared: object) -> str:
    if declared is None:
        return f"/nodes/{node_type}"
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
