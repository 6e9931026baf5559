"""What clients may send to the service routes."""

import json
from typing import Annotated, Any

from pydantic import Field, StringConstraints, field_validator

from configservice.reading import Body, Line

MAX_METADATA_BYTES = 64 * 1024

ServiceName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
Host = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:\[\]%-]+$", max_length=255)]
Word = Annotated[Line, StringConstraints(min_length=1, max_length=100)]


class RegisterService(Body):
    """A registration: who, where, what it can do, for how long."""

    name: ServiceName
    host: Host
    port: Annotated[int, Field(ge=1, le=65535)]
    version: Annotated[Line, StringConstraints(min_length=1, max_length=50)] = "1.0.0"
    protocol: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9+.-]*$", max_length=20)] = "http"
    health_endpoint: Annotated[str, StringConstraints(pattern=r"^/[^\x00-\x20\x7f]*$", max_length=500)] = "/health"
    capabilities: Annotated[list[Word], Field(max_length=200)] = []  # noqa: RUF012 - pydantic copies defaults
    metadata: dict[str, Any] = {}  # noqa: RUF012 - pydantic copies defaults
    ttl_seconds: Annotated[int, Field(ge=1, le=86_400)] | None = None

    @field_validator("metadata")
    @classmethod
    def _bound(cls, value: dict[str, Any]) -> dict[str, Any]:
        if len(json.dumps(value)) > MAX_METADATA_BYTES:
            raise ValueError(f"is larger than {MAX_METADATA_BYTES} bytes")
        return value
