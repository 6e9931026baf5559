"""`flask validate-setup`: is everything here that this gateway needs to start? The report's six rows."""

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext

from gateway.api.health_report import critical_down
from gateway.api.services import services
from gateway.cli.report import Check, demand, print_checks, run_check
from gateway.version import NAME

ROOT = Path(__file__).resolve().parents[2]
# What a deployment must bring, file by file.
FILES = (
    "wsgi.py",
    "Procfile",
    "alembic.ini",
    "requirements.txt",
    "config/settings.py",
    "config/gunicorn.conf.py",
    "gateway/app.py",
    "gateway/container.py",
    "tasks/app.py",
    "configservice/app.py",
    "migrations/env.py",
)
PACKAGES = (
    "flask",
    "flask-limiter",
    "flask-cors",
    "flask-talisman",
    "flask-compress",
    "flask-openapi3-swagger",
    "alembic",
    "celery",
    "sqlalchemy",
    "psycopg2-binary",
    "redis",
    "clickhouse-driver",
    "weaviate-client",
    "python-arango",
    "gunicorn",
    "msgspec",
    "structlog",
    "prometheus-client",
    "urllib3",
    "common-expression-language",
)
CHECK_SECONDS = 3.0


@click.command("validate-setup")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_appcontext
def validate_setup(*, as_json: bool) -> None:
    """Check the six things this gateway needs.

    Exit code: 0 when all six passed, 1 otherwise; 2 when a variable is unusable (then nothing starts at all).
    """
    checks = [
        run_check("Enhanced Server File", _server_file),
        run_check("Required Dependencies", _dependencies),
        run_check("Configuration Service", _configuration_service),
        run_check("Database Connectivity", _databases),
        run_check("File Structure", _files),
        run_check("Environment Variables", _environment),
    ]
    code = print_checks(
        checks,
        title=f"🔍 {NAME} Setup Validation",
        good=f"🎉 {NAME} setup is valid and ready for deployment!",
        bad=f"❌ {NAME} setup is not ready: {_names_of_failed(checks)}",
        as_json=as_json,
    )
    raise SystemExit(code)


def _names_of_failed(checks: list[Check]) -> str:
    return ", ".join(check.name for check in checks if not check.passed)


def _server_file() -> str:
    demand(find_spec("wsgi"), "wsgi.py cannot be found: run this from the project's directory")
    rules = len(list(current_app.url_map.iter_rules()))
    return f"wsgi:app serves {rules} routes"


def _dependencies() -> str:
    missing = [name for name in PACKAGES if not _is_installed(name)]
    demand(not missing, f"not installed: {', '.join(missing)}")
    return f"{len(PACKAGES)} packages"


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _configuration_service() -> str:
    settings, http = services().settings.configuration, services().http
    answer = http.request("GET", f"{settings.url}/health", timeout_seconds=settings.timeout_seconds)
    demand(answer.status == 200, f"{settings.url} answers {answer.status}")
    health = answer.json()
    demand(isinstance(health, dict) and "status" in health, f"{settings.url} does not answer as a Configuration Service does")
    return str(health["status"])


def _databases() -> str:
    statuses = services().poller.check_now(CHECK_SECONDS)
    down = critical_down(statuses) or tuple(str(name) for name, state in statuses.items() if state.status == "unhealthy")
    demand(not down, f"down: {', '.join(down)}")
    return ", ".join(f"{name} {state.status}" for name, state in statuses.items())


def _files() -> str:
    missing = [name for name in FILES if not (ROOT / name).is_file()]
    demand(not missing, f"missing: {', '.join(missing)}")
    return f"{len(FILES)} files"


def _environment() -> str:
    settings = services().settings
    demand(settings.postgres.sqlalchemy_url, "DATABASE_URL is not set: PostgreSQL is the one database that must be there")
    demand(settings.broker_url, "neither DRAGONFLY_URL nor REDIS_URL is set: Celery needs one of them")
    return f"environment {settings.process.environment}"
