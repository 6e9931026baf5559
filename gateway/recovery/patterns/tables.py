"""The rows of patterns. Vectors are plain arrays: pgvector, where it is installed, casts them when it compares."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from gateway.databases.metadata import metadata

patterns = sa.Table(
    "patterns",
    metadata,
    sa.Column("fingerprint", sa.Text, primary_key=True),
    sa.Column("fault_type", sa.Text, nullable=False),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("retryable", sa.Boolean, nullable=False),
    sa.Column("error_class", sa.Text, nullable=False),
    sa.Column("template", sa.Text, nullable=False, comment="the masked message of the first fault"),
    sa.Column("vendor_code", sa.Text),
    sa.Column("is_other", sa.Boolean, nullable=False, comment="the bucket of a source that has its fill of patterns"),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("samples", postgresql.JSONB, nullable=False, comment="at most three, redacted"),
    sa.Column("revision", sa.BigInteger, nullable=False, comment="grows with everything learned"),
    sa.Column("uploaded_revision", sa.BigInteger, comment="what the Flow Registry has"),
    sa.Column("uploaded_count", sa.BigInteger),
    sa.Column("uploaded_at", sa.DateTime(timezone=True)),
    sa.Column("upload_due_at", sa.DateTime(timezone=True), nullable=False, comment="a lease while somebody uploads it"),
    sa.Column("upload_failures", sa.Integer, nullable=False),
    sa.Column("upload_problem", sa.Text, comment="why the Flow Registry last refused it"),
    sa.Index("ix_patterns_last_seen_at", "last_seen_at", "fingerprint"),
    sa.Index("ix_patterns_source", "source"),
    sa.Index(
        "ix_patterns_upload_due_at",
        "upload_due_at",
        postgresql_where=sa.text("NOT is_other AND uploaded_revision IS DISTINCT FROM revision"),
    ),
)

outcomes = sa.Table(
    "pattern_outcomes",
    metadata,
    sa.Column("fingerprint", sa.Text, primary_key=True),
    sa.Column("action", sa.Text, primary_key=True),
    sa.Column("attempts", sa.BigInteger, nullable=False),
    sa.Column("successes", sa.BigInteger, nullable=False),
    sa.Column("tries", postgresql.DOUBLE_PRECISION, nullable=False, comment="attempts, faded as of at"),
    sa.Column("wins", postgresql.DOUBLE_PRECISION, nullable=False, comment="successes, faded as of at"),
    sa.Column("durations", sa.ARRAY(postgresql.DOUBLE_PRECISION), nullable=False, comment="faded successes by bin of ms to recover"),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
)

points = sa.Table(
    "pattern_points",
    metadata,
    sa.Column("fingerprint", sa.Text, primary_key=True),
    sa.Column("version", sa.Text, nullable=False, comment="of the embedding"),
    sa.Column("vector", sa.ARRAY(sa.REAL), nullable=False),
    sa.Column("shared_at", sa.DateTime(timezone=True), comment="when Weaviate took it"),
)

merges = sa.Table(
    "pattern_merges",
    metadata,
    sa.Column("batch_id", postgresql.UUID(as_uuid=False), primary_key=True),
    sa.Column("merged_at", sa.DateTime(timezone=True), nullable=False),
    sa.Index("ix_pattern_merges_merged_at", "merged_at"),
)
