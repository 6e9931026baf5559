"""The service's own tables. Indexes stand beside the question they answer; uniqueness is kept here, never by looking first.

JSON, not JSONB: nothing asks into the documents, and a client gets back the order of keys and the form of numbers that it sent.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

metadata = MetaData(
    schema="configservice",
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    },
)

NOW = func.clock_timestamp()


def _moment(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=None if nullable else NOW)


# One row. A writer holds it until it commits, so revisions become visible in their order and a watcher misses none.
config_clock = Table(
    "config_clock",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("revision", BigInteger, nullable=False, server_default="0"),
    CheckConstraint("id = 1", name="one_row"),
)

# The newest content of each key in each layer. '' stands for "no tenant" and "no user": a plain unique key then covers every layer.
config_entries = Table(
    "config_entries",
    metadata,
    Column("id", Uuid(as_uuid=False), primary_key=True),
    Column("key", String(255), nullable=False),
    Column("environment", String(100), nullable=False),
    Column("tenant_id", String(100), nullable=False),
    Column("user_id", String(100), nullable=False),
    Column("version", Integer, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("type", String(10), nullable=False),
    Column("value", JSON, nullable=False),
    Column("description", Text),
    Column("tags", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("is_secret", Boolean, nullable=False, server_default=text("false")),
    Column("deleted", Boolean, nullable=False, server_default=text("false")),
    _moment("created_at"),
    _moment("updated_at"),
    UniqueConstraint("key", "environment", "tenant_id", "user_id", name="uq_config_entries_layer"),
    UniqueConstraint("revision"),  # what changed since a revision
    Index("ix_config_entries_tenant_id", "tenant_id", postgresql_where=text("tenant_id <> ''")),  # a tenant's layer
)

# Everything ever written, one row for each version of an entry.
config_revisions = Table(
    "config_revisions",
    metadata,
    Column("entry_id", Uuid(as_uuid=False), ForeignKey(config_entries.c.id), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("type", String(10), nullable=False),
    Column("value", JSON, nullable=False),
    Column("description", Text),
    Column("tags", ARRAY(Text), nullable=False),
    Column("is_secret", Boolean, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("restored_version", Integer),
    _moment("created_at"),
    UniqueConstraint("revision"),
)

service_instances = Table(
    "service_instances",
    metadata,
    Column("id", Uuid(as_uuid=False), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("host", String(255), nullable=False),
    Column("port", Integer, nullable=False),
    Column("version", String(50), nullable=False),
    Column("protocol", String(20), nullable=False),
    Column("health_endpoint", String(500), nullable=False),
    Column("capabilities", ARRAY(Text), nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("ttl_seconds", Integer, nullable=False),
    _moment("registered_at"),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("name", "host", "port"),
    Index("ix_service_instances_expires_at", "expires_at"),  # what is to be purged
)

# `document` is the definition as it was registered, without its status; the columns repeat what is filtered and sorted by.
flows = Table(
    "flows",
    metadata,
    Column("id", String(50), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("version", String(50), nullable=False),
    Column("type", String(50), nullable=False),
    Column("status", String(20), nullable=False),
    Column("created_by", String(255), nullable=False),
    Column("tags", ARRAY(Text), nullable=False),
    Column("document", JSON, nullable=False),
    _moment("created_at"),
    _moment("updated_at"),
    UniqueConstraint("name", "version"),
    Index("ix_flows_status_created_at", "status", "created_at"),
    Index("ix_flows_tags", "tags", postgresql_using="gin"),
)

# The dependencies of every document, as edges. The other end may not be registered yet.
flow_dependencies = Table(
    "flow_dependencies",
    metadata,
    Column("flow_id", String(50), ForeignKey(flows.c.id), primary_key=True),
    Column("depends_on_flow_id", String(50), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("dependency_type", String(20), nullable=False),
    Column("condition", Text),
    Column("timeout_ms", Integer),
    Index("ix_flow_dependencies_depends_on_flow_id", "depends_on_flow_id"),
)

flow_executions = Table(
    "flow_executions",
    metadata,
    Column("id", Uuid(as_uuid=False), primary_key=True),
    Column("flow_id", String(50), ForeignKey(flows.c.id), nullable=False),
    Column("status", String(20), nullable=False),
    Column("parameters", JSON, nullable=False),
    Column("environment", JSON),
    Column("triggered_by", String(255), nullable=False),
    Column("execution_context", JSON, nullable=False),
    Column("result", JSON),
    Column("error_message", Text),
    Column("idempotency_key", String(255)),  # of whoever recorded it, who may not have heard the answer
    _moment("started_at"),
    _moment("completed_at", nullable=True),
    UniqueConstraint("flow_id", "idempotency_key", name="uq_flow_executions_flow_id_idempotency_key"),
    Index("ix_flow_executions_flow_id_started_at", "flow_id", "started_at"),
)
