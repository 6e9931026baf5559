"""Counts over flows and executions."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from configservice.database import Database
from configservice.flows.model import ExecutionCounts, ExecutionStatus, StoredFlow
from configservice.flows.store import get_flow
from configservice.tables import flow_executions, flows

columns = flow_executions.c
SECONDS = func.extract("epoch", columns.completed_at - columns.started_at)


@dataclass(frozen=True)
class GlobalCounts:
    """Everything the registry holds, counted."""

    by_status: dict[str, int]
    by_type: dict[str, int]
    executions: ExecutionCounts


class StatisticsStore:
    """Counts, each from one pass over the rows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_flow(self, flow_id: str) -> tuple[StoredFlow, ExecutionCounts]:
        """A flow and how its executions ended.

        Raises:
            NotFound.
        """
        return self._database.read(
            lambda connection: (get_flow(connection, flow_id), _count_executions(connection, columns.flow_id == flow_id))
        )

    def of_all(self) -> GlobalCounts:
        """All flows and all executions."""
        return self._database.read(
            lambda connection: GlobalCounts(_count_by(connection, "status"), _count_by(connection, "type"), _count_executions(connection))
        )


def _count_by(connection: Connection, name: str) -> dict[str, int]:
    statement = select(flows.c[name].label("word"), func.count().label("how_many")).group_by(flows.c[name]).order_by(flows.c[name])
    return {row.word: row.how_many for row in connection.execute(statement)}


def _with_status(*statuses: ExecutionStatus) -> Any:
    return columns.status.in_([status.value for status in statuses])


def _count_executions(connection: Connection, *conditions: Any) -> ExecutionCounts:
    count = func.count().filter
    statement = select(
        func.count(),
        count(_with_status(ExecutionStatus.COMPLETED)),
        count(_with_status(ExecutionStatus.FAILED)),
        count(_with_status(ExecutionStatus.PENDING, ExecutionStatus.RUNNING, ExecutionStatus.PAUSED)),
        func.avg(SECONDS).filter(_with_status(ExecutionStatus.COMPLETED)),
    ).where(*conditions)
    total, successful, failed, running, average = connection.execute(statement.select_from(flow_executions)).one()
    return ExecutionCounts(total, successful, failed, running, None if average is None else round(float(average), 3))
