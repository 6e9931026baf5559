"""Topology: who depends on whom."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "topology_nodes",
        sa.Column("kind", sa.Text(), nullable=False, comment="service, flow or database"),
        sa.Column("name", sa.Text(), nullable=False, comment="of a flow: its id"),
        sa.Column("origin", sa.Text(), nullable=False, comment="who says so: registrations, flows or gateway"),
        sa.Column("title", sa.Text(), nullable=False, comment="for people; may be empty"),
        sa.PrimaryKeyConstraint("kind", "name", "origin", name="pk_topology_nodes"),
    )
    op.create_table(
        "topology_edges",
        sa.Column("source_kind", sa.Text(), nullable=False),
        sa.Column("source_name", sa.Text(), nullable=False, comment="depends on the target"),
        sa.Column("target_kind", sa.Text(), nullable=False),
        sa.Column("target_name", sa.Text(), nullable=False),
        sa.Column("relation", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "source_kind", "source_name", "target_kind", "target_name", "relation", "origin", name="pk_topology_edges"
        ),
    )
    op.create_index("ix_topology_edges_target_kind_target_name", "topology_edges", ["target_kind", "target_name"])
    op.create_table(
        "topology_refreshes",
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("refreshed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("origin", name="pk_topology_refreshes"),
    )


def downgrade() -> None:
    for table in ("topology_refreshes", "topology_edges", "topology_nodes"):
        op.drop_table(table)
