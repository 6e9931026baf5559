"""What can go wrong here, in one line that a newcomer can act on."""


class EmbeddedError(Exception):
    """An embedded server or a process of `make run` cannot start. The message is one line that says what to do."""
