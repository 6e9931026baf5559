"""The registered services and where to reach them."""

import re

from flask import Blueprint, Response

from gateway.api.freshness import CONDITION, fresh_answer
from gateway.api.models.common import Fresh
from gateway.api.models.configuration import DiscoveredShape, ServiceShape, discovered
from gateway.api.operations import operation
from gateway.api.services import services
from gateway.errors import FieldError, InvalidInput
from gateway.security.scopes import Scope, requires

blueprint = Blueprint("discovery", __name__)
NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@blueprint.get("/services")
@requires(Scope.READ)
@operation("List the registered services", answers={200: Fresh[list[ServiceShape]], 304: None}, problems=(503,), headers=CONDITION)
def index() -> Response:
    """Every registered service, its instances and whether any of them holds its lease."""
    known = services().services.list_services()
    shapes = [ServiceShape.made_from(service) for service in known.value]
    return fresh_answer(Fresh[list[ServiceShape]], shapes, known, fresh_seconds=services().settings.configuration.services_fresh_seconds)


@blueprint.get("/services/discover/<name>")
@requires(Scope.READ)
@operation("Discover a service", answers={200: Fresh[DiscoveredShape], 304: None}, problems=(400, 404, 503), headers=CONDITION)
def discover(name: str) -> Response:
    """One healthy instance to call (each call may name another one), and all of them."""
    if not NAME_PATTERN.fullmatch(name):
        raise InvalidInput("The service's name is not valid", [FieldError("{name}", f"must match {NAME_PATTERN.pattern}")])
    known = services().services.discover(name)
    chosen = services().services.choose_instance(known.value)
    return fresh_answer(
        Fresh[DiscoveredShape],
        discovered(known, chosen),
        known,
        fresh_seconds=services().settings.configuration.services_fresh_seconds,
    )
