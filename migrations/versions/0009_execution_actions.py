"""Executions can be cancelled, paused, resumed and retried; reports in hand have an owner who can hand them back."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

REPORT_COLUMNS = ("since", "told_status", "records", "lease_owner")


def upgrade() -> None:
    op.add_column("executions", sa.Column("actions", sa.JSON(none_as_null=True), nullable=False, server_default="[]"))
    op.add_column("execution_nodes", sa.Column("forgiven_epoch", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("execution_reports", sa.Column("since", sa.DateTime(timezone=True)))
    op.add_column("execution_reports", sa.Column("told_status", sa.Text()))
    op.add_column("execution_reports", sa.Column("records", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("execution_reports", sa.Column("lease_owner", sa.Text()))


def downgrade() -> None:
    for column in REPORT_COLUMNS:
        op.drop_column("execution_reports", column)
    op.drop_column("execution_nodes", "forgiven_epoch")
    op.drop_column("executions", "actions")
