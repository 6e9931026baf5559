"""Telling the Flow Registry that a flow ran. It keeps the history; running is the gateway's own work and never depends on this."""

from collections.abc import Mapping
from typing import Any, Protocol

import structlog

from gateway.configuration.errors import ConfigurationUnavailable
from gateway.configuration.flow_registry import FlowRegistryClient
from gateway.configuration.uploads import FlowUploads

log = structlog.get_logger(__name__)


class Started(Protocol):
    """What is told of an execution that starts. `execution_id` is the gateway's own; `key` makes one record of many tellings."""

    @property
    def execution_id(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def parameters(self) -> Mapping[str, Any]: ...
    @property
    def triggered_by(self) -> str: ...
    @property
    def execution_context(self) -> Mapping[str, Any]: ...


class Changed(Protocol):
    """What is told of an execution whose status changed."""

    @property
    def execution_id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def result(self) -> Any: ...
    @property
    def error_message(self) -> str | None: ...


class FlowReports:
    """The registry's record of executions."""

    def __init__(self, registry: FlowRegistryClient, uploads: FlowUploads) -> None:
        self._registry = registry
        self._uploads = uploads

    def report_started(self, flow_id: str, report: Started) -> str | None:
        """Record the start; returns the registry's own execution id.

        None when it keeps no record of this run: it refuses the flow's status (the platform's registry does so for drafts, which run here
        all the same), or does not know the flow.

        Raises:
            ConfigurationUnavailable, UpstreamInvalid: try again later; so too while the flow itself waits for its upload.
        """
        context = {**report.execution_context, "gatewayExecutionId": report.execution_id}
        request = {"parameters": dict(report.parameters), "triggeredBy": report.triggered_by, "executionContext": context}
        recorded = self._registry.execute(flow_id, request, report.key)
        if recorded is None and self._uploads.is_waiting(flow_id):
            raise ConfigurationUnavailable("The flow waits for its upload to the Flow Registry")
        if recorded is None:
            log.info("execution_not_recorded_by_registry", flow_id=flow_id, execution_id=report.execution_id)
        return recorded

    def report_status(self, registry_execution_id: str, report: Changed) -> None:
        """Record the status; without the result when the registry refuses that (it may hold U+0000). Telling it twice is harmless.

        Raises:
            ConfigurationUnavailable, UpstreamInvalid: try again later.
        """
        body = {"status": report.status, "result": report.result, "errorMessage": report.error_message}
        told = {name: value for name, value in body.items() if value is not None}
        if self._registry.report_status(registry_execution_id, told):
            return
        if told.pop("result", None) is not None and self._registry.report_status(registry_execution_id, told):
            log.warning("execution_result_not_taken_by_registry", execution_id=report.execution_id)
        else:
            log.warning("execution_status_not_taken_by_registry", execution_id=report.execution_id, status=report.status)
