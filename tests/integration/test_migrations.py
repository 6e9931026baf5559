"""The migrations build what every room's `tables.py` declares, in one line of history."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from migrations.tables import METADATA

ROOT = Path(__file__).parents[2]


def test_the_migrated_schema_is_the_declared_one(postgres_url: str) -> None:
    engine = create_engine(postgres_url.replace("postgresql://", "postgresql+psycopg2://"))
    options = {
        "compare_type": True,
        "include_schemas": True,
        "include_name": lambda name, kind, _: kind != "table" or name != "alembic_version",
    }
    try:
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection, opts=options), METADATA) == []
    finally:
        engine.dispose()


def test_the_history_is_one_line_of_numbers() -> None:
    script = ScriptDirectory.from_config(Config(ROOT / "alembic.ini"))
    revisions = [each.revision for each in script.walk_revisions()][::-1]
    assert script.get_heads() == [revisions[-1]]
    assert revisions == [f"{number:04}" for number in range(1, len(revisions) + 1)]
