"""The migrated schema of the ledger is the one that its `tables.py` declares."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from gateway.databases.metadata import metadata
from gateway.recovery.ledger.tables import recoveries, recovery_attempts, recovery_flows

OURS = {table.name for table in (recoveries, recovery_attempts, recovery_flows)}


def test_the_migration_builds_the_declared_tables(postgres_url: str) -> None:
    engine = create_engine(postgres_url.replace("postgresql://", "postgresql+psycopg2://"))
    options = {"compare_type": True, "include_name": lambda name, kind, _: kind != "table" or name in OURS}
    try:
        with engine.connect() as connection:
            found = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    finally:
        engine.dispose()
    assert [change for change in found if any(name in str(change) for name in OURS)] == []
