"""Analytics: the spool of requests, faults and recoveries."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "analytics_requests",
        sa.Column("event_id", postgresql.UUID(as_uuid=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, comment="when the request came in"),
        sa.Column("route", sa.Text(), nullable=False, comment="the route's template"),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("duration_ms", postgresql.DOUBLE_PRECISION(), nullable=False),
        sa.Column("bytes_sent", sa.BigInteger(), nullable=False),
        sa.Column("tenant", sa.Text()),
        sa.Column("caller", sa.Text()),
        sa.Column("request_id", sa.Text()),
        sa.Column("fault_type", sa.Text()),
        sa.Column("served_from", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_analytics_requests"),
    )
    op.create_table(
        "analytics_faults",
        sa.Column("event_id", postgresql.UUID(as_uuid=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fault_type", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("retryable", sa.Boolean(), nullable=False),
        sa.Column("target", sa.Text()),
        sa.Column("vendor_code", sa.Text()),
        sa.Column("route", sa.Text()),
        sa.Column("tenant", sa.Text()),
        sa.Column("request_id", sa.Text()),
        sa.PrimaryKeyConstraint("event_id", name="pk_analytics_faults"),
    )
    op.create_table(
        "analytics_recoveries",
        sa.Column("event_id", postgresql.UUID(as_uuid=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recovery_id", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("fault_type", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("duration_ms", postgresql.DOUBLE_PRECISION(), nullable=False),
        sa.Column("fingerprint", sa.Text()),
        sa.PrimaryKeyConstraint("event_id", name="pk_analytics_recoveries"),
    )
    for table in ("analytics_requests", "analytics_faults", "analytics_recoveries"):
        op.create_index(f"ix_{table}_at", table, ["at"])


def downgrade() -> None:
    for table in ("analytics_recoveries", "analytics_faults", "analytics_requests"):
        op.drop_table(table)
