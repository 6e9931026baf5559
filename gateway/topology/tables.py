"""The service graph in PostgreSQL: what each origin says, side by side, so that one can be replaced without touching the others."""

import sqlalchemy as sa

from gateway.databases.metadata import metadata

nodes = sa.Table(
    "topology_nodes",
    metadata,
    sa.Column("kind", sa.Text, nullable=False, comment="service, flow or database"),
    sa.Column("name", sa.Text, nullable=False, comment="of a flow: its id"),
    sa.Column("origin", sa.Text, nullable=False, comment="who says so: registrations, flows or gateway"),
    sa.Column("title", sa.Text, nullable=False, comment="for people; may be empty"),
    sa.PrimaryKeyConstraint("kind", "name", "origin"),
)

edges = sa.Table(
    "topology_edges",
    metadata,
    sa.Column("source_kind", sa.Text, nullable=False),
    sa.Column("source_name", sa.Text, nullable=False, comment="depends on the target"),
    sa.Column("target_kind", sa.Text, nullable=False),
    sa.Column("target_name", sa.Text, nullable=False),
    sa.Column("relation", sa.Text, nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
    sa.PrimaryKeyConstraint("source_kind", "source_name", "target_kind", "target_name", "relation", "origin"),
    sa.Index("ix_topology_edges_target_kind_target_name", "target_kind", "target_name"),
)

refreshes = sa.Table(
    "topology_refreshes",
    metadata,
    sa.Column("origin", sa.Text, primary_key=True),
    sa.Column("refreshed_at", sa.DateTime(timezone=True), nullable=False),
)
