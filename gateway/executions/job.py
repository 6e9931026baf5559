"""One claimed node with everything it needs to run, and how an attempt of it may end. Values, no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from gateway.executions.model import Claim, Outcome
from gateway.executions.plan import Plan
from gateway.executions.scope import NodeResult
from gateway.flows.model import Node


@dataclass(frozen=True)
class Job:
    """A claim, the plan it belongs to, and the results of the nodes that its expressions name."""

    claim: Claim
    plan: Plan
    results: Mapping[str, NodeResult]

    @property
    def node(self) -> Node:
        """The node to run."""
        return self.plan.node(self.claim.node_id)


@dataclass(frozen=True)
class Succeeded:
    """The node gave `output`; `decisions` count its outgoing edges per target, as (decided, taken)."""

    outcome: ClassVar[Outcome] = Outcome.SUCCEEDED
    output: Any
    output_bytes: int
    decisions: Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class Failed:
    """The attempt raised."""

    outcome: ClassVar[Outcome] = Outcome.FAILED
    error: BaseException


@dataclass(frozen=True)
class Cancelled:
    """Another node failed before this attempt did anything."""

    outcome: ClassVar[Outcome] = Outcome.CANCELLED


Ending = Succeeded | Failed | Cancelled
