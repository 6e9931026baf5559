"""The catalogue as the Configuration Service and the Flow Registry answer it, page by page."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from gateway.configuration.model import FlowFilters, FlowPage, Known, Service
from gateway.topology.ports import DeclaredService

PAGE_FLOWS = 100
MAX_PAGES = 50


class ServiceList(Protocol):
    """gateway.configuration's Services."""

    def list_services(self) -> Known[tuple[Service, ...]]: ...


class FlowList(Protocol):
    """gateway.configuration's Flows."""

    def list_flows(self, filters: FlowFilters, page: int, limit: int) -> Known[FlowPage]: ...

    def get_document(self, flow_id: str) -> Known[dict[str, Any]]: ...


class RegistryCatalogue:
    """Implements Catalogue over last-known-good copies: a stale answer is as good as it gets."""

    def __init__(self, services: ServiceList, flows: FlowList) -> None:
        self._services = services
        self._flows = flows

    def services(self) -> Sequence[DeclaredService]:
        return self._services.list_services().value

    def flow_documents(self) -> Sequence[Mapping[str, Any]]:
        """Every flow that may run, the first 5,000. A registry that lists flows without their nodes is asked for each."""
        return [document if "nodes" in document else self._whole(document) for document in self._listed()]

    def _listed(self) -> list[dict[str, Any]]:
        documents: list[dict[str, Any]] = []
        for page in range(1, MAX_PAGES + 1):
            answer = self._flows.list_flows(FlowFilters(), page, PAGE_FLOWS).value
            documents += answer.documents
            if not answer.has_next:
                break
        return documents

    def _whole(self, document: dict[str, Any]) -> dict[str, Any]:
        flow_id = document.get("id")
        return self._flows.get_document(flow_id).value if isinstance(flow_id, str) else document
