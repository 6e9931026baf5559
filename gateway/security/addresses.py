"""The path of a request: what stands in its variables is text that any part further in can hold."""

from flask import Flask, request

from gateway.errors import FieldError, InvalidInput

MAX_LENGTH = 512


def install_address_check(app: Flask) -> None:
    """Refuse path variables with control characters (NUL breaks PostgreSQL's strings), bytes that are not UTF-8, or too much text."""

    @app.before_request
    def check() -> None:
        for name, value in (request.view_args or {}).items():
            if isinstance(value, str) and not is_fit(value):
                detail = f"holds a control character, is not UTF-8, or is longer than {MAX_LENGTH} characters"
                raise InvalidInput(f"The path's {name} {detail}", [FieldError(f"{{{name}}}", detail)])


def is_fit(text: str) -> bool:
    """Printable, and short. U+FFFD stands where an address was not UTF-8."""
    return len(text) <= MAX_LENGTH and text.isprintable() and "\ufffd" not in text
