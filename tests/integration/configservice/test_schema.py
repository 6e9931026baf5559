"""The migrated schema is the one that `tables.py` declares."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from sqlalchemy import Connection

from configservice.container import EXTENSION
from configservice.tables import metadata


def test_the_migration_builds_the_declared_tables(config_service: Flask) -> None:
    def compare(connection: Connection) -> list[object]:
        options = {
            "include_schemas": True,
            "compare_type": True,
            "include_name": lambda name, kind, _: kind != "schema" or name == "configservice",
        }
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    assert config_service.extensions[EXTENSION].database.read(compare) == []
