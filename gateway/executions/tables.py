"""The rows of running flows. Values that we only store and hand back are `json`, not `jsonb`: jsonb refuses the
character U+0000 that an upstream may well answer, and is slower to write."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, DateTime, ForeignKeyConstraint, Index, Integer, Table, Text, text

from gateway.databases.metadata import metadata

VALUE = JSON(none_as_null=True)

executions = Table(
    "executions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("flow_id", Text, nullable=False),
    Column("flow_version", Text, nullable=False),
    Column("definition", VALUE, nullable=False),
    Column("definition_digest", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("parameters", VALUE, nullable=False),
    Column("triggered_by", Text, nullable=False),
    Column("execution_context", VALUE, nullable=False),
    Column("warnings", VALUE, nullable=False),
    Column("request_id", Text),
    Column("caller", Text, nullable=False),
    Column("idempotency_key", Text),
    Column("request_digest", Text, nullable=False),
    Column("nodes_left", Integer, nullable=False),
    Column("output_bytes", BigInteger, nullable=False, server_default="0"),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("completed_at", DateTime(timezone=True)),
    Column("error", VALUE),
    Column("actions", VALUE, nullable=False, server_default="[]"),  # what clients did to it, oldest first
    Index("ix_executions_flow_id", "flow_id", text("started_at DESC"), text("id DESC")),
    Index("ix_executions_completed_at", "completed_at", postgresql_where=text("completed_at IS NOT NULL")),
    Index(
        "uq_executions_idempotency_key",
        "flow_id",
        "caller",
        "idempotency_key",
        unique=True,
        postgresql_where=text("idempotency_key IS NOT NULL"),
    ),
)

execution_nodes = Table(
    "execution_nodes",
    metadata,
    Column("execution_id", Text, primary_key=True),
    Column("node_id", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("is_end", Boolean, nullable=False),  # no edge leaves it: its output is (part of) the result
    Column("status", Text, nullable=False),
    Column("pending", Integer, nullable=False),  # incoming edges that are not decided yet
    Column("taken", Integer, nullable=False, server_default="0"),  # incoming edges that were taken
    Column("due_at", DateTime(timezone=True)),
    Column("rung_at", DateTime(timezone=True)),  # when its message was due; the sweeper rings again long after it
    Column("lease_owner", Text),
    Column("lease_until", DateTime(timezone=True)),
    Column("epoch", Integer, nullable=False, server_default="0"),  # grows with every claim; an older writer changes nothing
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("forgiven_epoch", Integer, nullable=False, server_default="0"),  # attempts up to this one count no more: it was retried
    Column("started_at", DateTime(timezone=True)),
    Column("completed_at", DateTime(timezone=True)),
    Column("output", VALUE),
    Column("error", VALUE),
    ForeignKeyConstraint(["execution_id"], ["executions.id"], ondelete="CASCADE", name="fk_execution_nodes_execution_id_executions"),
    Index("ix_execution_nodes_rung_at", "rung_at", postgresql_where=text("status = 'ready'")),
    Index("ix_execution_nodes_lease_until", "lease_until", postgresql_where=text("status = 'running'")),
)

node_attempts = Table(
    "node_attempts",
    metadata,
    Column("execution_id", Text, primary_key=True),
    Column("node_id", Text, primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("worker", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("completed_at", DateTime(timezone=True)),
    Column("error", VALUE),
    ForeignKeyConstraint(
        ["execution_id", "node_id"],
        ["execution_nodes.execution_id", "execution_nodes.node_id"],
        ondelete="CASCADE",
        name="fk_node_attempts_execution_id_execution_nodes",
    ),
)

execution_reports = Table(
    "execution_reports",
    metadata,
    Column("execution_id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("registry_execution_id", Text),  # the registry numbers its own records
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due_at", DateTime(timezone=True)),  # none while there is nothing to report
    Column("since", DateTime(timezone=True)),  # when what is to be reported happened
    Column("told_status", Text),  # of the execution, as the registry knows it
    Column("records", Integer, nullable=False, server_default="0"),  # that the registry keeps: what it holds for cancelled stays so
    Column("lease_owner", Text),
    Column("lease_until", DateTime(timezone=True)),
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("last_error", Text),
    ForeignKeyConstraint(["execution_id"], ["executions.id"], ondelete="CASCADE", name="fk_execution_reports_execution_id_executions"),
    Index("ix_execution_reports_due_at", "due_at", postgresql_where=text("due_at IS NOT NULL")),
)
