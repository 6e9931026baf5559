"""The outbox: messages that must reach the broker, written in the transaction they belong to; and who consumed when."""

from sqlalchemy import JSON, BigInteger, Column, DateTime, Identity, Index, Integer, Table, Text

from gateway.databases.metadata import metadata

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("task", Text, nullable=False),
    Column("arguments", JSON, nullable=False),
    Column("request_id", Text),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Index("ix_outbox_due_at", "due_at", "id"),
)

worker_heartbeats = Table(
    "worker_heartbeats",
    metadata,
    Column("hostname", Text, primary_key=True),
    Column("queue", Text, primary_key=True),
    Column("consumed_at", DateTime(timezone=True), nullable=False),
)
