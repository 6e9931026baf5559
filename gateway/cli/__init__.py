"""The operator's commands: `flask db-check`, `health-check`, `validate-setup`, `test-deployment`."""

from flask import Flask

from gateway.cli.database import db_check
from gateway.cli.deployment import test_deployment
from gateway.cli.health import health_check
from gateway.cli.setup import validate_setup


def install_commands(app: Flask) -> None:
    """Add the commands to `flask`."""
    for command in (db_check, health_check, validate_setup, test_deployment):
        app.cli.add_command(command)
