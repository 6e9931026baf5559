"""Runs the migrations: one at a time over all processes, and never behind a lock for long.

Source: https://alembic.sqlalchemy.org/en/latest/cookbook.html ; ADR 0002 (Alembic alone, one tree, sequential names).
"""

from alembic import context
from sqlalchemy import Connection, create_engine, text

from config.settings import Settings
from migrations.tables import METADATA

MIGRATION_LOCK = 7_312_001  # any fixed number: two releases at once take turns


def run() -> None:
    """Upgrade over one connection, in one transaction, after waiting for another release to finish."""
    url = Settings.from_environment().postgres.sqlalchemy_url
    if url is None:
        raise SystemExit("DATABASE_URL: not set; migrations need PostgreSQL")
    engine = create_engine(url, connect_args={"connect_timeout": 10})
    try:
        with engine.connect() as connection:
            migrate(connection)
    finally:
        engine.dispose()


def migrate(connection: Connection) -> None:
    """Run what is pending. A DDL statement that waits 5 s for a lock gives up rather than block the traffic behind it."""
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        include_schemas=True,
        transaction_per_migration=False,
        compare_type=True,
    )
    with context.begin_transaction():
        connection.execute(text("SET LOCAL lock_timeout = '5s'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        context.run_migrations()


run()
