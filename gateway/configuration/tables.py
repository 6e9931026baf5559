"""Last-known-good copies of what the Configuration Service told us, and flows whose upload still waits.

A row is replaced by a newer copy and removed only when the service itself says that the thing is gone; a failed refresh touches nothing.
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from gateway.databases.metadata import metadata

known_copies = sa.Table(
    "known_copies",
    metadata,
    sa.Column("kind", sa.Text, nullable=False, comment="config, service, services or flow"),
    sa.Column("key", sa.Text, nullable=False, comment="what identifies it within its kind: for a flow its id"),
    sa.Column("body", postgresql.JSONB, nullable=False, comment="the copy, as the service answered it"),
    sa.Column("state", sa.Text, nullable=False, server_default="known", comment="known; for a flow also pending, conflicted or refused"),
    sa.Column("problem", sa.Text, comment="why the registry did not take a flow"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0", comment="tries of uploading a pending flow"),
    sa.Column("due_at", sa.DateTime(timezone=True), comment="when a pending flow is uploaded next"),
    sa.Column(
        "fetched_at", sa.DateTime(timezone=True), nullable=False, comment="when the service gave it, or when a pending flow was accepted"
    ),
    sa.PrimaryKeyConstraint("kind", "key"),
    sa.CheckConstraint("state IN ('known', 'pending', 'conflicted', 'refused')", name="state"),
    sa.Index("ix_known_copies_kind_fetched_at", "kind", "fetched_at"),
)
