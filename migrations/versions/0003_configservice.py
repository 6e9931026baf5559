"""The Configuration Service's own schema: layered configuration, services, and the Flow Registry."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SCHEMA = "configservice"


def upgrade() -> None:
    op.execute("CREATE SCHEMA IF NOT EXISTS configservice")
    op.create_table(
        "config_clock",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_config_clock_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_config_clock")),
        schema=SCHEMA,
    )
    op.create_table(
        "config_entries",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("environment", sa.String(length=100), nullable=False),
        sa.Column("tenant_id", sa.String(length=100), nullable=False),
        sa.Column("user_id", sa.String(length=100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.String(length=10), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("is_secret", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("deleted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_config_entries")),
        sa.UniqueConstraint("key", "environment", "tenant_id", "user_id", name="uq_config_entries_layer"),
        sa.UniqueConstraint("revision", name=op.f("uq_config_entries_revision")),
        schema=SCHEMA,
    )
    op.create_index(
        "ix_config_entries_tenant_id",
        "config_entries",
        ["tenant_id"],
        unique=False,
        schema=SCHEMA,
        postgresql_where=sa.text("tenant_id <> ''"),
    )
    op.create_table(
        "flows",
        sa.Column("id", sa.String(length=50), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("version", sa.String(length=50), nullable=False),
        sa.Column("type", sa.String(length=50), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("created_by", sa.String(length=255), nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flows")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_flows_name_version")),
        schema=SCHEMA,
    )
    op.create_index("ix_flows_status_created_at", "flows", ["status", "created_at"], unique=False, schema=SCHEMA)
    op.create_index("ix_flows_tags", "flows", ["tags"], unique=False, schema=SCHEMA, postgresql_using="gin")
    op.create_table(
        "service_instances",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(length=50), nullable=False),
        sa.Column("protocol", sa.String(length=20), nullable=False),
        sa.Column("health_endpoint", sa.String(length=500), nullable=False),
        sa.Column("capabilities", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("ttl_seconds", sa.Integer(), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_instances")),
        sa.UniqueConstraint("name", "host", "port", name=op.f("uq_service_instances_name_host_port")),
        schema=SCHEMA,
    )
    op.create_index("ix_service_instances_expires_at", "service_instances", ["expires_at"], unique=False, schema=SCHEMA)
    op.create_table(
        "config_revisions",
        sa.Column("entry_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.String(length=10), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("is_secret", sa.Boolean(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("restored_version", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["configservice.config_entries.id"], name=op.f("fk_config_revisions_entry_id_config_entries")
        ),
        sa.PrimaryKeyConstraint("entry_id", "version", name=op.f("pk_config_revisions")),
        sa.UniqueConstraint("revision", name=op.f("uq_config_revisions_revision")),
        schema=SCHEMA,
    )
    op.create_table(
        "flow_dependencies",
        sa.Column("flow_id", sa.String(length=50), nullable=False),
        sa.Column("depends_on_flow_id", sa.String(length=50), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("dependency_type", sa.String(length=20), nullable=False),
        sa.Column("condition", sa.Text(), nullable=True),
        sa.Column("timeout_ms", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["flow_id"], ["configservice.flows.id"], name=op.f("fk_flow_dependencies_flow_id_flows")),
        sa.PrimaryKeyConstraint("flow_id", "depends_on_flow_id", name=op.f("pk_flow_dependencies")),
        schema=SCHEMA,
    )
    op.create_index("ix_flow_dependencies_depends_on_flow_id", "flow_dependencies", ["depends_on_flow_id"], unique=False, schema=SCHEMA)
    op.create_table(
        "flow_executions",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("flow_id", sa.String(length=50), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("environment", sa.JSON(), nullable=True),
        sa.Column("triggered_by", sa.String(length=255), nullable=False),
        sa.Column("execution_context", sa.JSON(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["flow_id"], ["configservice.flows.id"], name=op.f("fk_flow_executions_flow_id_flows")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_flow_executions")),
        schema=SCHEMA,
    )
    op.create_index("ix_flow_executions_flow_id_started_at", "flow_executions", ["flow_id", "started_at"], unique=False, schema=SCHEMA)
    op.execute("INSERT INTO configservice.config_clock (id, revision) VALUES (1, 0)")


def downgrade() -> None:
    op.execute("DROP SCHEMA configservice CASCADE")
