"""One deployment for all cells of a test process, and the document that a whole run leaves behind when asked to."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.postgres import EmbeddedPostgres
from tests.chaos.deployment import Deployment, running_deployment
from tests.chaos.matrix import ALWAYS, QUICK, Cell
from tests.chaos.report import TARGET_VARIABLE, document


@pytest.fixture(scope="session")
def chaos_deployment(migrated_postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    settings = ALWAYS if os.environ.get(TARGET_VARIABLE) else QUICK
    with running_deployment(tmp_path_factory.mktemp("chaos"), migrated_postgres, **settings) as deployment:
        yield deployment


@pytest.fixture(scope="session")
def chaos_cells() -> Iterator[list[Cell]]:
    """Where each test leaves its cells; written down at the end when FAULTS_DOCUMENT names a file."""
    cells: list[Cell] = []
    yield cells
    if target := os.environ.get(TARGET_VARIABLE):
        Path(target).write_text(document(cells))
