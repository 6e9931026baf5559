"""The Flow Registry's endpoints, one method each.

How "not offered" is told from "not there", endpoint by endpoint (404 or 405 of …):

- `POST /flows`, `GET /flows`: the path names no resource, so not offered.
- `GET` and `PUT /flows/{id}`: 404 means that there is no such flow. `health` and `types` are names of other endpoints, never of flows.
- `POST /flows/{id}/execute`: 404 means that the registry does not know the flow (an upload that waits); nothing is reported then.
- `PUT /executions/{id}/status`: the platform serves it below `/flows`. The path that worked last is asked first; when both answer 404 the
  registry does not know the execution.

A used id answers 500 at the platform, so a registration that failed with 5xx is looked up: when the id is there it is a conflict.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from gateway.configuration.decoding import read_page
from gateway.configuration.errors import ConfigurationUnavailable, FlowExists, FlowRefused
from gateway.configuration.model import FlowFilters
from gateway.configuration.offers import Endpoint
from gateway.configuration.refusals import field_errors, message_of
from gateway.configuration.transport import NO_ENDPOINT, Transport, data_of, object_of, segment
from gateway.errors import UpstreamInvalid
from gateway.outbound.answer import Answer

OTHER_ENDPOINTS = frozenset({"health", "types"})


class FlowRegistryClient:
    """Speaks to the Flow Registry; keeps nothing but what it offers.

    Every method raises ConfigurationUnavailable when the registry cannot serve, and UpstreamInvalid when it answers something unusable.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def register(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Store a new flow; returns it as the registry stored it.

        Raises:
            FlowExists: its id, or its name and version, are taken; FlowRefused: the registry's own rules forbid it.
        """
        try:
            answer = self._transport.call_offered(Endpoint.REGISTER_FLOW, "/api/v1/flows", json=document)
        except ConfigurationUnavailable as error:
            if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR and self.find(str(document["id"])) is not None:
                raise FlowExists(f"The flow {document['id']} is registered already") from error
            raise
        if answer.status == HTTPStatus.CONFLICT:
            raise FlowExists(f"The flow {document['id']}, or one of its name and version, is registered already")
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise FlowRefused(f"The Flow Registry refuses the definition: {message_of(answer)}", field_errors(answer))
        return {**document, **_stored(answer)}

    def replace(self, document: Mapping[str, Any]) -> bool:
        """Replace the flow of this id; False when the registry has none.

        Raises:
            FlowExists: another flow has its name and version; FlowRefused: the registry's own rules forbid it.
        """
        answer = self._transport.call(Endpoint.REPLACE_FLOW, f"/api/v1/flows/{segment(str(document['id']))}", json=document)
        if answer.status in NO_ENDPOINT:
            return False
        if answer.status == HTTPStatus.CONFLICT:
            raise FlowExists(f"Another flow than {document['id']} has its name and version")
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise FlowRefused(f"The Flow Registry refuses the definition: {message_of(answer)}", field_errors(answer))
        return True

    def find(self, flow_id: str) -> dict[str, Any] | None:
        """The flow as the registry stores it; None when it has none of this id."""
        if flow_id in OTHER_ENDPOINTS:
            return None
        answer = self._transport.call(Endpoint.FLOW, f"/api/v1/flows/{segment(flow_id)}")
        if answer.status != HTTPStatus.OK:
            return None
        data = data_of(answer)
        if not isinstance(data, dict) or data.get("id") != flow_id:
            raise UpstreamInvalid("The Flow Registry answered something that is not the flow")
        return data

    def list_flows(self, filters: FlowFilters, page: int, limit: int) -> dict[str, Any]:
        """One page as {data, pagination}; read it with `read_page`."""
        answer = self._transport.call_offered(Endpoint.FLOWS, "/api/v1/flows", query=list_query(filters, page, limit))
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise FlowRefused(f"The Flow Registry refuses the list: {message_of(answer)}", field_errors(answer))
        body = object_of(answer)
        read_page(body)
        return body

    def execute(self, flow_id: str, request: Mapping[str, Any], idempotency_key: str) -> str | None:
        """Record that the flow runs; returns the registry's own executionId.

        The same key finds the record of an earlier try whose answer got lost. The platform's registry knows no keys: a second record of
        the same run stays there, `running` for good; both hold the same `gatewayExecutionId` in their context.

        None when it records none: it does not know the flow, or refuses its status (the platform's does so for a draft).
        """
        answer = self._transport.call(
            Endpoint.EXECUTE, f"/api/v1/flows/{segment(flow_id)}/execute", json=request, idempotency_key=idempotency_key
        )
        if answer.status >= HTTPStatus.BAD_REQUEST:
            return None
        data = data_of(answer)
        execution_id = data.get("executionId") if isinstance(data, dict) else None
        if not isinstance(execution_id, str):
            raise UpstreamInvalid("The Flow Registry answered an execution without an id")
        return execution_id

    def report_status(self, execution_id: str, report: Mapping[str, Any]) -> bool:
        """Tell how an execution ended. False when the registry does not know the execution, or does not take this status from it."""
        name = segment(execution_id)
        paths = {
            Endpoint.EXECUTION_STATUS: f"/api/v1/executions/{name}/status",
            Endpoint.PLATFORM_EXECUTION_STATUS: f"/api/v1/flows/executions/{name}/status",
        }
        offers = self._transport.offers
        for endpoint in sorted(paths, key=offers.is_missing):
            answer = self._transport.call(endpoint, paths[endpoint], json=report)
            if answer.status not in NO_ENDPOINT:
                self._note_path(endpoint)
                return answer.status < HTTPStatus.BAD_REQUEST
        return False

    def _note_path(self, worked: Endpoint) -> None:
        """Only the contract's path counts as missing; the platform's is an alias that nobody needs besides it."""
        self._transport.offers.found(worked)
        if worked is Endpoint.PLATFORM_EXECUTION_STATUS:
            self._transport.offers.missed(Endpoint.EXECUTION_STATUS)


def list_query(filters: FlowFilters, page: int, limit: int) -> dict[str, str]:
    """The query of a list, names as in the contract, filters that are not set left out."""
    given = {
        "type": filters.type,
        "status": filters.status,
        "createdBy": filters.created_by,
        "tags": ",".join(filters.tags) or None,
        "sortBy": filters.sort_by,
        "sortOrder": filters.sort_order,
        "includeArchived": "true" if filters.include_archived else None,
    }
    return {**{name: value for name, value in given.items() if value is not None}, "page": str(page), "limit": str(limit)}


def _stored(answer: Answer) -> dict[str, Any]:
    """What the registry says that it stored: a 2xx means that it did, whatever the body looks like."""
    try:
        data = data_of(answer)
    except UpstreamInvalid:
        return {}
    return {name: value for name, value in data.items() if value is not None} if isinstance(data, dict) else {}
