"""Executions, their nodes, attempts and reports; the outbox and the workers' heartbeats."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _outbox()
    _executions()
    _nodes()
    _reports()


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("arguments", sa.JSON, nullable=False),
        sa.Column("request_id", sa.Text),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    )
    op.create_index("ix_outbox_due_at", "outbox", ["due_at", "id"])
    op.create_table(
        "worker_heartbeats",
        sa.Column("hostname", sa.Text, primary_key=True),
        sa.Column("queue", sa.Text, primary_key=True),
        sa.Column("consumed_at", MOMENT, nullable=False),
    )


def _executions() -> None:
    op.create_table(
        "executions",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("flow_id", sa.Text, nullable=False),
        sa.Column("flow_version", sa.Text, nullable=False),
        sa.Column("definition", sa.JSON, nullable=False),
        sa.Column("definition_digest", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("parameters", sa.JSON, nullable=False),
        sa.Column("triggered_by", sa.Text, nullable=False),
        sa.Column("execution_context", sa.JSON, nullable=False),
        sa.Column("warnings", sa.JSON, nullable=False),
        sa.Column("request_id", sa.Text),
        sa.Column("caller", sa.Text, nullable=False),
        sa.Column("idempotency_key", sa.Text),
        sa.Column("request_digest", sa.Text, nullable=False),
        sa.Column("nodes_left", sa.Integer, nullable=False),
        sa.Column("output_bytes", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("completed_at", MOMENT),
        sa.Column("error", sa.JSON),
    )
    op.create_index("ix_executions_flow_id", "executions", ["flow_id", sa.text("started_at DESC"), sa.text("id DESC")])
    op.create_index("ix_executions_completed_at", "executions", ["completed_at"], postgresql_where=sa.text("completed_at IS NOT NULL"))
    op.create_index(
        "uq_executions_idempotency_key",
        "executions",
        ["flow_id", "caller", "idempotency_key"],
        unique=True,
        postgresql_where=sa.text("idempotency_key IS NOT NULL"),
    )


def _nodes() -> None:
    op.create_table(
        "execution_nodes",
        sa.Column("execution_id", sa.Text, sa.ForeignKey("executions.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("node_id", sa.Text, primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("is_end", sa.Boolean, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("pending", sa.Integer, nullable=False),
        sa.Column("taken", sa.Integer, nullable=False, server_default="0"),
        sa.Column("due_at", MOMENT),
        sa.Column("rung_at", MOMENT),
        sa.Column("lease_owner", sa.Text),
        sa.Column("lease_until", MOMENT),
        sa.Column("epoch", sa.Integer, nullable=False, server_default="0"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("started_at", MOMENT),
        sa.Column("completed_at", MOMENT),
        sa.Column("output", sa.JSON),
        sa.Column("error", sa.JSON),
    )
    op.create_index("ix_execution_nodes_rung_at", "execution_nodes", ["rung_at"], postgresql_where=sa.text("status = 'ready'"))
    op.create_index("ix_execution_nodes_lease_until", "execution_nodes", ["lease_until"], postgresql_where=sa.text("status = 'running'"))
    op.create_table(
        "node_attempts",
        sa.Column("execution_id", sa.Text, primary_key=True),
        sa.Column("node_id", sa.Text, primary_key=True),
        sa.Column("epoch", sa.Integer, primary_key=True),
        sa.Column("worker", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("completed_at", MOMENT),
        sa.Column("error", sa.JSON),
        sa.ForeignKeyConstraint(
            ["execution_id", "node_id"], ["execution_nodes.execution_id", "execution_nodes.node_id"], ondelete="CASCADE"
        ),
    )


def _reports() -> None:
    op.create_table(
        "execution_reports",
        sa.Column("execution_id", sa.Text, sa.ForeignKey("executions.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("registry_execution_id", sa.Text),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("due_at", MOMENT),
        sa.Column("lease_until", MOMENT),
        sa.Column("epoch", sa.Integer, nullable=False, server_default="0"),
        sa.Column("last_error", sa.Text),
    )
    op.create_index("ix_execution_reports_due_at", "execution_reports", ["due_at"], postgresql_where=sa.text("due_at IS NOT NULL"))


def downgrade() -> None:
    for table in ("execution_reports", "node_attempts", "execution_nodes", "executions", "worker_heartbeats", "outbox"):
        op.drop_table(table)
