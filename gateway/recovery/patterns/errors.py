"""What can go wrong with patterns."""

from gateway.errors import NotFound


class PatternNotFound(NotFound):
    """No pattern of this fingerprint was learned."""

    code = "PATTERN_NOT_FOUND"
