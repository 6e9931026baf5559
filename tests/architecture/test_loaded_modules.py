"""What a web worker loads before its first request: nothing heavy that it may never need (decision 9). Each of these costs 2 to 40 MB."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAVY = {
    "alembic",
    "arango",
    "cel",
    "celery",
    "clickhouse_driver",
    "configservice",
    "embedded",
    "grpc",
    "kombu",
    "numpy",
    "pydantic",
    "pydantic_core",
    "requests",
    "rich",
    "tasks",
    "typer",
    "weaviate",
    "yaml",
}
LOAD = """
import gunicorn.app.wsgiapp, json, sys
import config.worker
from config.settings import Settings
from gateway.app import create_app
from gateway.observability.logging import configure_logging

settings = Settings.from_environment({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "DRAGONFLY_URL": "redis://127.0.0.1:1"})
configure_logging(settings.process)
create_app(settings)
print(json.dumps(sorted(sys.modules)))
"""


def test_a_web_worker_loads_nothing_that_it_may_never_need() -> None:
    done = subprocess.run([sys.executable, "-c", LOAD], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = {module.split(".")[0] for module in json.loads(done.stdout)}
    assert sorted(loaded & HEAVY) == []
