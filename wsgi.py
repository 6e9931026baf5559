"""What gunicorn and `flask` load: `wsgi:app` and `wsgi:configuration_service`, each built when asked for, without the other's parts."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from flask import Flask

    from config.settings import Settings

    app: Flask
    configuration_service: Flask


class UnusableSettings(click.ClickException):
    """A variable is set but unusable: `flask` prints this one line and exits with 2."""

    exit_code = 2


def __getattr__(name: str) -> "Flask":
    if name not in {"app", "configuration_service"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from config.settings import Settings, SettingsError
    from gateway.observability.logging import configure_logging

    try:
        settings = Settings.from_environment()
        configure_logging(settings.process)
        built = _build(name, settings)
    except SettingsError as error:
        raise UnusableSettings(str(error)) from error
    globals()[name] = built
    return built


def _build(name: str, settings: "Settings") -> "Flask":
    if name == "app":
        from gateway.app import create_app

        return create_app(settings)
    from configservice.app import create_configuration_service

    return create_configuration_service(settings)
