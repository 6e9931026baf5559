"""The ledger: what broke, what was tried, how it ended; and the recovery flows as the registry last told them."""

from sqlalchemy import JSON, Column, DateTime, ForeignKeyConstraint, Index, Integer, Table, Text, text

from gateway.databases.metadata import metadata

VALUE = JSON(none_as_null=True)

recoveries = Table(
    "recoveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("target", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("superseded_by", Text),
    Column("fault_type", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("vendor_code", Text),
    Column("detail", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("flow_id", Text),  # the recovery flow that is run
    Column("execution_id", Text),  # its run
    Column("origin", VALUE),  # {flowId, executionId, nodeId} of a fault that happened inside a flow
    Column("request_id", Text),
    Column("broken_since", DateTime(timezone=True), nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("due_at", DateTime(timezone=True)),
    Column("rung_at", DateTime(timezone=True)),  # when its message was due; the sweeper rings again long after it
    Column("lease_owner", Text),
    Column("lease_until", DateTime(timezone=True)),
    Column("epoch", Integer, nullable=False, server_default="0"),  # grows with every claim; an older writer changes nothing
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("completed_at", DateTime(timezone=True)),
    Column("healed_by", Text),
    Column("avoid", VALUE),  # base URLs of instances that get no calls until avoid_until
    Column("avoid_until", DateTime(timezone=True)),
    Index(
        "uq_recoveries_target",  # one at a time for each target
        "target",
        unique=True,
        postgresql_where=text("status IN ('pending', 'running')"),
    ),
    Index("ix_recoveries_broken_since", text("broken_since DESC"), text("id DESC")),
    Index("ix_recoveries_target_broken_since", "target", text("broken_since DESC")),
    Index("ix_recoveries_superseded_by", "superseded_by", postgresql_where=text("superseded_by IS NOT NULL")),
    Index("ix_recoveries_completed_at", "completed_at", postgresql_where=text("completed_at IS NOT NULL")),
    Index("ix_recoveries_avoid_until", "avoid_until", postgresql_where=text("avoid_until IS NOT NULL")),
)

recovery_attempts = Table(
    "recovery_attempts",
    metadata,
    Column("recovery_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("action", Text, nullable=False),
    Column("worker", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("completed_at", DateTime(timezone=True)),
    Column("detail", Text),
    Column("execution_id", Text),
    ForeignKeyConstraint(["recovery_id"], ["recoveries.id"], ondelete="CASCADE", name="fk_recovery_attempts_recovery_id_recoveries"),
)

recovery_flows = Table(
    "recovery_flows",
    metadata,
    Column("flow_id", Text, primary_key=True),
    Column("fault_type", Text, primary_key=True),
    Column("target", Text, primary_key=True),  # empty: any
)
