"""Recording an execution twice with one Idempotency-Key makes one record."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SCHEMA = "configservice"
CONSTRAINT = "uq_flow_executions_flow_id_idempotency_key"


def upgrade() -> None:
    op.add_column("flow_executions", sa.Column("idempotency_key", sa.String(length=255), nullable=True), schema=SCHEMA)
    op.create_unique_constraint(CONSTRAINT, "flow_executions", ["flow_id", "idempotency_key"], schema=SCHEMA)


def downgrade() -> None:
    op.drop_constraint(CONSTRAINT, "flow_executions", schema=SCHEMA)
    op.drop_column("flow_executions", "idempotency_key", schema=SCHEMA)
