"""The services of this process, as views reach them."""

from typing import TYPE_CHECKING

from flask import current_app

if TYPE_CHECKING:
    from gateway.container import Container


def services() -> "Container":
    """The container that `create_app` was given or built."""
    container: Container = current_app.extensions["container"]
    return container
