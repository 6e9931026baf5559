"""What every process keeps at hand of the ledger. Every method runs inside its caller's transaction."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.postgresql import insert as upsert

from gateway.recovery.ledger.model import Opened, RecoveryFlow
from gateway.recovery.ledger.postgres import IS_OPEN
from gateway.recovery.ledger.tables import recoveries, recovery_flows
from gateway.recovery.model import Action


class KnownStore:
    """Open recoveries, instances to avoid, recovery flows."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list_open(self) -> list[Opened]:
        """Every open recovery."""
        rows = self._connection.execute(
            select(recoveries.c.id, recoveries.c.target, recoveries.c.broken_since, recoveries.c.action).where(IS_OPEN)
        )
        return [Opened(row.id, row.target, row.broken_since, Action(row.action)) for row in rows]

    def list_avoided(self, now: datetime) -> list[tuple[str, Sequence[str]]]:
        """(target, base URLs) of the instances that get no calls now."""
        rows = self._connection.execute(select(recoveries.c.target, recoveries.c.avoid).where(recoveries.c.avoid_until > now))
        return [(row.target, row.avoid or ()) for row in rows]

    def list_flows(self) -> list[RecoveryFlow]:
        """The recovery flows as the registry last told them."""
        rows = self._connection.execute(select(recovery_flows))
        return [RecoveryFlow(row.flow_id, row.fault_type, row.target or None) for row in rows]

    def replace_flows(self, flows: Collection[RecoveryFlow]) -> None:
        """Keep these recovery flows and no others."""
        self._connection.execute(delete(recovery_flows))
        rows = [{"flow_id": flow.flow_id, "fault_type": flow.fault_type, "target": flow.target or ""} for flow in flows]
        if rows:
            self._connection.execute(upsert(recovery_flows).on_conflict_do_nothing(), rows)
