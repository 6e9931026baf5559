"""The Flask app: assembled here, and nothing else happens here."""

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from config.draining import DrainBody
from config.settings import Settings
from gateway.api import (
    analytics,
    breakers,
    configuration,
    databases,
    discovery,
    docs,
    executions,
    flows,
    health,
    metrics,
    patterns,
    recoveries,
    root,
    topology,
)
from gateway.api.patience import OnePatience
from gateway.api.problems import install_problem_handlers
from gateway.api.requests import install_request_log
from gateway.cli import install_commands
from gateway.container import Container, build_container
from gateway.databases.postgres import Postgres
from gateway.observability.metrics import RequestMetrics
from gateway.security.addresses import install_address_check
from gateway.security.callers import install_callers
from gateway.security.headers import install_compression, install_cors, install_security_headers
from gateway.security.limits import install_limits
from gateway.security.rules import check_edge

API = "/api/v1"


def create_app(settings: Settings | None = None, container: Container | None = None) -> Flask:
    """The gateway. Opens no connection, starts no thread.

    Raises:
        SettingsError: a variable is set but unusable.
    """
    settings = settings or (container.settings if container else Settings.from_environment())
    app = Flask("gateway", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.edge.max_body_bytes
    app.extensions["container"] = container or build_container(settings)
    app.extensions["request_metrics"] = RequestMetrics()
    install_blueprints(app)
    install_edge(app, settings)
    install_problem_handlers(app)
    install_commands(app)
    return app


def install_blueprints(app: Flask) -> None:
    """One blueprint per resource."""
    for module in (health, root, docs, metrics):
        app.register_blueprint(module.blueprint)
    for module in (databases, configuration, discovery, analytics, topology):
        app.register_blueprint(module.blueprint, url_prefix=API)
    app.register_blueprint(flows.blueprint, url_prefix=f"{API}/flows")
    app.register_blueprint(executions.blueprint, url_prefix=f"{API}/executions")
    app.register_blueprint(patterns.blueprint, url_prefix=f"{API}/errors/patterns")
    app.register_blueprint(breakers.blueprint, url_prefix=f"{API}/breakers")
    app.register_blueprint(recoveries.blueprint, url_prefix=f"{API}/recoveries")


def install_edge(app: Flask, settings: Settings) -> None:
    """What surrounds every request. What is installed first runs first before a view and last after it."""
    install_request_log(app, app.extensions["request_metrics"])
    install_compression(app)
    install_security_headers(app, settings.edge)
    install_cors(app, settings.edge)
    install_callers(app, check_edge(settings.edge))
    cache = app.extensions["container"].cache  # its first choice is the server that counts
    install_limits(app, settings.edge, settings.broker_url, on_lost=cache.doubt_first)
    install_address_check(app)
    app.wsgi_app = OnePatience(app.wsgi_app, Postgres.one_request)  # type: ignore[method-assign]
    app.wsgi_app = DrainBody(app.wsgi_app, settings.edge.max_body_bytes)  # type: ignore[method-assign]
    if settings.edge.trusted_proxies:
        hops = settings.edge.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
