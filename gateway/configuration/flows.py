"""Flow definitions: read through copies, registered at once or, while the registry is down, later."""

from dataclasses import replace
from typing import Any

from config.groups import ConfigurationSettings
from gateway.configuration.copies import Copies
from gateway.configuration.decoding import read_page
from gateway.configuration.errors import ConfigurationUnavailable, FlowExists, FlowNotFound, FlowRefused
from gateway.configuration.flow_registry import OTHER_ENDPOINTS, FlowRegistryClient
from gateway.configuration.listing import page_of, page_over
from gateway.configuration.memory import Kind
from gateway.configuration.model import CopyState, FlowFilters, FlowPage, Known, Registered, Source
from gateway.configuration.reader import Reader
from gateway.configuration.uploads import FlowUploads
from gateway.errors import FieldError, UpstreamInvalid
from gateway.flows.model import FlowDefinition
from gateway.flows.parsing import parse_flow, parse_stored_flow, read_shape
from gateway.flows.validation import Validation, validate

KNOWN_FLOWS = 5000  # looked through for a list while the registry is down
PARSED_FLOWS = 256


class Flows:
    """The flows that can be read, run and registered."""

    def __init__(
        self, registry: FlowRegistryClient, reader: Reader, copies: Copies, uploads: FlowUploads, settings: ConfigurationSettings
    ) -> None:
        self._registry = registry
        self._reader = reader
        self._copies = copies
        self._uploads = uploads
        self._fresh_seconds = settings.flows_fresh_seconds
        self._parsed: dict[str, tuple[dict[str, Any], FlowDefinition]] = {}

    def get_document(self, flow_id: str) -> Known[dict[str, Any]]:
        """The flow as the registry stores it; one whose upload waits or failed as it was given, with `state` and `problem`.

        Raises:
            FlowNotFound: nobody knows it. ConfigurationUnavailable, UpstreamInvalid: it cannot be asked and no copy is known.
        """
        try:
            return self._reader.read(Kind.FLOW, flow_id, lambda: self._fetch(flow_id), fresh_seconds=self._fresh_seconds)
        except FlowNotFound:
            waiting = self._copies.find_row(Kind.FLOW, flow_id)
            if waiting is None or waiting.state is CopyState.KNOWN:
                raise
            return self._reader.known(waiting, Source.LAST_KNOWN_GOOD)

    def get_flow(self, flow_id: str) -> Known[FlowDefinition]:
        """The definition, ready to run.

        Raises:
            FlowInvalid: the registry holds something that can never run; and what `get_document` raises.
        """
        return self.get_document(flow_id).map(lambda document: self._parse(flow_id, document))

    def list_flows(self, filters: FlowFilters, page: int, limit: int) -> Known[FlowPage]:
        """One page, 1 is the first; of all that runs when no status is named. Made of the flows known here while the registry is down.

        Raises:
            FlowRefused: the registry refuses a filter, the page or the limit.
        """
        try:
            found = self._ask_for_page(filters, page, limit)
        except (ConfigurationUnavailable, UpstreamInvalid):
            copies = self._copies.list_kind(Kind.FLOW, KNOWN_FLOWS)
            oldest_seconds = max((self._copies.age_seconds(copy) for copy in copies), default=0.0)
            found = page_of([copy.body for copy in copies], filters, page, limit)
            return Known(found, round(oldest_seconds, 3), stale=True, source=Source.LAST_KNOWN_GOOD)
        return Known(found, 0.0, stale=False, source=Source.SERVICE)

    def validate(self, flow_id: str) -> Validation:
        """What would stop the flow running, found here: it needs no registry once the definition is known.

        Raises:
            FlowInvalid: the registry holds something that is no definition; and what `get_document` raises.
        """
        return validate(read_shape(self.get_document(flow_id).value))

    def register(self, document: object) -> Registered:
        """Store a new flow in the registry; while that is down, accept it and let a task upload it.

        Raises:
            FlowInvalid: the document is no definition that can run. FlowRefused: the registry's own rules forbid it, or its id is reserved.
            FlowExists: its id, or its name and version, are taken.
            ConfigurationUnavailable: the registry refuses our credentials or keeps no flows; waiting would not help.
            DatabaseError: the registry is down and PostgreSQL too.
        """
        flow = parse_flow(document)
        if flow.id in OTHER_ENDPOINTS:
            raise FlowRefused(
                "The flow definition is not valid", [FieldError("/id", "is reserved: the registry has an endpoint of this name")]
            )
        body = flow.document
        waiting = self._copies.find_row(Kind.FLOW, flow.id)
        if waiting and waiting.state is CopyState.PENDING:
            raise FlowExists(f"The flow {flow.id} exists already; its upload waits for the Flow Registry")
        try:
            stored = self._registry.register(body)
        except ConfigurationUnavailable as error:
            if not error.retryable:
                raise
            self._uploads.accept(flow, body)
            return Registered(body, pending=True)
        self._reader.replace(Kind.FLOW, flow.id, stored)
        return Registered(stored, pending=False)

    def upload(self, flow_id: str) -> None:
        """Upload a flow that waits; what the task `flows.upload` calls. Ringing twice is harmless.

        Raises:
            DatabaseError: PostgreSQL failed; the sweep rings again.
        """
        self._uploads.upload(flow_id)

    def _ask_for_page(self, filters: FlowFilters, page: int, limit: int) -> FlowPage:
        def fetch(status: str, number: int) -> FlowPage:
            return read_page(self._registry.list_flows(replace(filters, status=status), number, limit))

        if filters.status or filters.include_archived:
            return read_page(self._registry.list_flows(filters, page, limit))
        return page_over(fetch, page, limit)

    def _fetch(self, flow_id: str) -> dict[str, Any]:
        document = self._registry.find(flow_id)
        if document is None:
            raise FlowNotFound(f"No flow has the id {flow_id!r}")
        return document

    def _parse(self, flow_id: str, document: dict[str, Any]) -> FlowDefinition:
        """Parsing compiles every expression, so a document that was parsed is not parsed again."""
        known = self._parsed.get(flow_id)
        if known and known[0] == document:
            return known[1]
        flow = parse_stored_flow(document)
        if len(self._parsed) >= PARSED_FLOWS:
            self._parsed.clear()
        self._parsed[flow_id] = (document, flow)
        return flow
