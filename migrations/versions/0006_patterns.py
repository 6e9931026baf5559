"""Patterns: learned faults, what healed them, and their vectors. Needs no extension: pgvector casts the arrays where it is installed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "patterns",
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("fault_type", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("retryable", sa.Boolean(), nullable=False),
        sa.Column("error_class", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False, comment="the masked message of the first fault"),
        sa.Column("vendor_code", sa.Text()),
        sa.Column("is_other", sa.Boolean(), nullable=False, comment="the bucket of a source that has its fill of patterns"),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("samples", postgresql.JSONB(), nullable=False, comment="at most three, redacted"),
        sa.Column("revision", sa.BigInteger(), nullable=False, comment="grows with everything learned"),
        sa.Column("uploaded_revision", sa.BigInteger(), comment="what the Flow Registry has"),
        sa.Column("uploaded_count", sa.BigInteger()),
        sa.Column("uploaded_at", sa.DateTime(timezone=True)),
        sa.Column("upload_due_at", sa.DateTime(timezone=True), nullable=False, comment="a lease while somebody uploads it"),
        sa.Column("upload_failures", sa.Integer(), nullable=False),
        sa.Column("upload_problem", sa.Text(), comment="why the Flow Registry last refused it"),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_patterns"),
    )
    op.create_index("ix_patterns_last_seen_at", "patterns", ["last_seen_at", "fingerprint"])
    op.create_index("ix_patterns_source", "patterns", ["source"])
    op.create_index(
        "ix_patterns_upload_due_at",
        "patterns",
        ["upload_due_at"],
        postgresql_where=sa.text("NOT is_other AND uploaded_revision IS DISTINCT FROM revision"),
    )
    op.create_table(
        "pattern_outcomes",
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("successes", sa.BigInteger(), nullable=False),
        sa.Column("tries", postgresql.DOUBLE_PRECISION(), nullable=False, comment="attempts, faded as of at"),
        sa.Column("wins", postgresql.DOUBLE_PRECISION(), nullable=False, comment="successes, faded as of at"),
        sa.Column("durations", sa.ARRAY(postgresql.DOUBLE_PRECISION()), nullable=False, comment="faded successes by bin of ms to recover"),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", "action", name="pk_pattern_outcomes"),
    )
    op.create_table(
        "pattern_points",
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False, comment="of the embedding"),
        sa.Column("vector", sa.ARRAY(sa.REAL()), nullable=False),
        sa.Column("shared_at", sa.DateTime(timezone=True), comment="when Weaviate took it"),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_pattern_points"),
    )
    op.create_table(
        "pattern_merges",
        sa.Column("batch_id", postgresql.UUID(as_uuid=False), nullable=False),
        sa.Column("merged_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("batch_id", name="pk_pattern_merges"),
    )
    op.create_index("ix_pattern_merges_merged_at", "pattern_merges", ["merged_at"])


def downgrade() -> None:
    for table in ("pattern_merges", "pattern_points", "pattern_outcomes", "patterns"):
        op.drop_table(table)
