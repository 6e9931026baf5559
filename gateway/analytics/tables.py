"""The spool of events in PostgreSQL: first choice while ClickHouse is not configured, the waiting room while it is down."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from gateway.databases.metadata import metadata

requests = sa.Table(
    "analytics_requests",
    metadata,
    sa.Column("event_id", postgresql.UUID(as_uuid=False), primary_key=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, comment="when the request came in"),
    sa.Column("route", sa.Text, nullable=False, comment="the route's template"),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("status", sa.SmallInteger, nullable=False),
    sa.Column("duration_ms", postgresql.DOUBLE_PRECISION, nullable=False),
    sa.Column("bytes_sent", sa.BigInteger, nullable=False),
    sa.Column("tenant", sa.Text),
    sa.Column("caller", sa.Text),
    sa.Column("request_id", sa.Text),
    sa.Column("fault_type", sa.Text),
    sa.Column("served_from", sa.Text, nullable=False),
    sa.Index("ix_analytics_requests_at", "at"),
)

faults = sa.Table(
    "analytics_faults",
    metadata,
    sa.Column("event_id", postgresql.UUID(as_uuid=False), primary_key=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("fault_type", sa.Text, nullable=False),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("retryable", sa.Boolean, nullable=False),
    sa.Column("target", sa.Text),
    sa.Column("vendor_code", sa.Text),
    sa.Column("route", sa.Text),
    sa.Column("tenant", sa.Text),
    sa.Column("request_id", sa.Text),
    sa.Index("ix_analytics_faults_at", "at"),
)

recoveries = sa.Table(
    "analytics_recoveries",
    metadata,
    sa.Column("event_id", postgresql.UUID(as_uuid=False), primary_key=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("recovery_id", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("fault_type", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("strategy", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("duration_ms", postgresql.DOUBLE_PRECISION, nullable=False),
    sa.Column("fingerprint", sa.Text),
    sa.Index("ix_analytics_recoveries_at", "at"),
)
