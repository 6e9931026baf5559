"""Recoveries: the ledger of what broke, what was tried and how it ended."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "recoveries",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("superseded_by", sa.Text()),
        sa.Column("fault_type", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("vendor_code", sa.Text()),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("flow_id", sa.Text()),
        sa.Column("execution_id", sa.Text()),
        sa.Column("origin", sa.JSON(none_as_null=True)),
        sa.Column("request_id", sa.Text()),
        sa.Column("broken_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("rung_at", sa.DateTime(timezone=True)),
        sa.Column("lease_owner", sa.Text()),
        sa.Column("lease_until", sa.DateTime(timezone=True)),
        sa.Column("epoch", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("completed_at", sa.DateTime(timezone=True)),
        sa.Column("healed_by", sa.Text()),
        sa.Column("avoid", sa.JSON(none_as_null=True)),
        sa.Column("avoid_until", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_recoveries"),
    )
    op.create_index(
        "uq_recoveries_target", "recoveries", ["target"], unique=True, postgresql_where=sa.text("status IN ('pending', 'running')")
    )
    op.create_index("ix_recoveries_broken_since", "recoveries", [sa.text("broken_since DESC"), sa.text("id DESC")])
    op.create_index("ix_recoveries_target_broken_since", "recoveries", ["target", sa.text("broken_since DESC")])
    for column in ("superseded_by", "completed_at", "avoid_until"):
        op.create_index(f"ix_recoveries_{column}", "recoveries", [column], postgresql_where=sa.text(f"{column} IS NOT NULL"))
    op.create_table(
        "recovery_attempts",
        sa.Column("recovery_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True)),
        sa.Column("detail", sa.Text()),
        sa.Column("execution_id", sa.Text()),
        sa.PrimaryKeyConstraint("recovery_id", "number", name="pk_recovery_attempts"),
        sa.ForeignKeyConstraint(
            ["recovery_id"], ["recoveries.id"], ondelete="CASCADE", name="fk_recovery_attempts_recovery_id_recoveries"
        ),
    )
    op.create_table(
        "recovery_flows",
        sa.Column("flow_id", sa.Text(), nullable=False),
        sa.Column("fault_type", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("flow_id", "fault_type", "target", name="pk_recovery_flows"),
    )


def downgrade() -> None:
    for table in ("recovery_flows", "recovery_attempts", "recoveries"):
        op.drop_table(table)
