"""The factory of the Configuration Service's Flask app. It assembles, nothing else."""

from flask import Flask
from flask.json.provider import DefaultJSONProvider

from config.draining import DrainBody
from config.settings import Settings
from configservice import health
from configservice.configuration import views as configuration
from configservice.container import EXTENSION, build_parts
from configservice.context import install_context
from configservice.failures import install_failures
from configservice.flows import execution_views as executions
from configservice.flows import graph_views as graph
from configservice.flows import registry_views
from configservice.flows import views as flows
from configservice.services import views as services

BLUEPRINTS = (
    health.blueprint,
    configuration.blueprint,
    services.blueprint,
    flows.blueprint,
    graph.blueprint,
    executions.blueprint,
    registry_views.blueprint,
)


def create_configuration_service(settings: Settings | None = None) -> Flask:
    """The app, not yet connected to anything: PostgreSQL is asked at the first request that needs it.

    Raises:
        SettingsError: `settings` is None and the environment is unusable.
    """
    settings = settings or Settings.from_environment()
    app = Flask("configservice", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.edge.max_body_bytes
    app.wsgi_app = DrainBody(app.wsgi_app, settings.edge.max_body_bytes)  # type: ignore[method-assign]
    app.url_map.strict_slashes = False
    json = app.json
    if isinstance(json, DefaultJSONProvider):
        json.sort_keys, json.compact, json.ensure_ascii = False, True, False
    app.extensions[EXTENSION] = build_parts(settings)
    token = settings.configuration.token
    install_context(app, token.get_secret_value() if token else None)
    install_failures(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    return app
