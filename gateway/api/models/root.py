"""The front page on the wire."""

from typing import Literal

from gateway.api.models.common import Wire


class ApiShape(Wire, frozen=True, kw_only=True):
    """What this is. Not under `data`: the platform's clients read it at the top."""

    success: Literal[True] = True
    message: str
    version: str
    features: list[str]
    endpoints: dict[str, str | dict[str, str]]
