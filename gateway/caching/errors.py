"""What a caller of the cache can do wrong."""

from gateway.errors import InvalidInput


class NotACounter(InvalidInput):
    """The value under the key is not a whole number: it was set, not incremented."""
