"""Last-known-good copies of configuration, services and flows."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "known_copies",
        sa.Column("kind", sa.Text(), nullable=False, comment="config, service, services or flow"),
        sa.Column("key", sa.Text(), nullable=False, comment="what identifies it within its kind: for a flow its id"),
        sa.Column("body", postgresql.JSONB(), nullable=False, comment="the copy, as the service answered it"),
        sa.Column(
            "state", sa.Text(), nullable=False, server_default="known", comment="known; for a flow also pending, conflicted or refused"
        ),
        sa.Column("problem", sa.Text(), comment="why the registry did not take a flow"),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0", comment="tries of uploading a pending flow"),
        sa.Column("due_at", sa.DateTime(timezone=True), comment="when a pending flow is uploaded next"),
        sa.Column(
            "fetched_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="when the service gave it, or when a pending flow was accepted",
        ),
        sa.PrimaryKeyConstraint("kind", "key", name="pk_known_copies"),
        sa.CheckConstraint("state IN ('known', 'pending', 'conflicted', 'refused')", name=op.f("ck_known_copies_state")),
    )
    op.create_index("ix_known_copies_kind_fetched_at", "known_copies", ["kind", "fetched_at"])


def downgrade() -> None:
    op.drop_table("known_copies")
