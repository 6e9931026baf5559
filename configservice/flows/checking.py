"""What would stop a registered flow, and what looks wrong: the language's own validation and what only the registry knows."""

from typing import Any

from configservice.flows.model import DependencyGraph


def check_flow(graph: DependencyGraph) -> dict[str, Any]:
    return {}
