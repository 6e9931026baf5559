"""What the edge's settings must obey beyond their types. Needs no Flask: gunicorn's master asks before it listens."""

from config.groups import EdgeSettings
from config.settings import SettingsError
from gateway.security.tokens import TokenBook


def check_edge(edge: EdgeSettings) -> TokenBook:
    """The tokens, once everything about the edge is found usable.

    Raises:
        SettingsError: a token entry is malformed; or `*` stands among the origins, which with credentials allowed
            would let any page act for its visitor.
    """
    if "*" in edge.allowed_origins:
        raise SettingsError("ALLOWED_ORIGINS: * cannot be allowed together with credentials; name the origins")
    return TokenBook.parse(edge.tokens.get_secret_value() if edge.tokens else None)
