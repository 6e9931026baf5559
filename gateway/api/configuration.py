"""Configuration values, as the Configuration Service layers them; the last known good one while it is down."""

from flask import Blueprint, Response
from werkzeug.routing import PathConverter

from gateway.api.freshness import CONDITION, fresh_answer
from gateway.api.models.common import Fresh
from gateway.api.models.configuration import ConfigShape, Layers
from gateway.api.operations import operation
from gateway.api.parsing import parse_query
from gateway.api.services import services
from gateway.errors import FieldError, InvalidInput
from gateway.security.scopes import Scope, requires

blueprint = Blueprint("configuration", __name__)
MAX_KEY_LENGTH = 255


class _KeyConverter(PathConverter):
    """All that is left of the path: slashes at either end and line breaks too, so that a wrong key is told instead of a wrong path."""

    regex = "(?s:.+)"
    part_isolating = False


blueprint.record_once(lambda state: state.app.url_map.converters.update(key=_KeyConverter))


@blueprint.get("/config/<key:key>", merge_slashes=False)
@requires(Scope.READ)
@operation(
    "Read one configuration value",
    query=Layers,
    answers={200: Fresh[ConfigShape], 304: None},
    problems=(400, 404, 503),
    headers=CONDITION,
)
def show(key: str) -> Response:
    """The value that wins: user over tenant over environment over global. `stale` marks the last known good one.

    A key may hold `/`, written as it is or as `%2F`.
    """
    if not _is_key(key):
        raise InvalidInput("The key is not valid", [FieldError("{key}", f"must be 1 to {MAX_KEY_LENGTH} printable characters")])
    layers = parse_query(Layers)
    known = services().configuration.get_value(key, environment=layers.environment, tenant_id=layers.tenant_id, user_id=layers.user_id)
    return fresh_answer(
        Fresh[ConfigShape], ConfigShape.of(known), known, fresh_seconds=services().settings.configuration.config_fresh_seconds
    )


def _is_key(key: str) -> bool:
    """What the Configuration Service takes for a key."""
    return len(key) <= MAX_KEY_LENGTH and key == key.strip()
