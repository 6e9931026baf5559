"""What clients may send to the service routes."""

import json
from typing import Annotated, Any

from msgspec import Meta, field

from configservice.reading import Body, Detail, InvalidRequest, Line

MAX_METADATA_BYTES = 64 * 1024

ServiceName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z", max_length=100)]
Host = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:\[\]%-]+\Z", max_length=255)]
Word = Annotated[Line, Meta(min_length=1, max_length=100)]


class RegisterService(Body, frozen=True):
    """A registration: who, where, what it can do, for how long."""

    name: ServiceName
    host: Host
    port: Annotated[int, Meta(ge=1, le=65535)]
    version: Annotated[Line, Meta(min_length=1, max_length=50)] = "1.0.0"
    protocol: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9+.-]*\Z", max_length=20)] = "http"
    health_endpoint: Annotated[str, Meta(pattern=r"^/[^\x00-\x20\x7f]*\Z", max_length=500)] = "/health"
    capabilities: Annotated[list[Word], Meta(max_length=200)] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    ttl_seconds: Annotated[int, Meta(ge=1, le=86_400)] | None = None

    def __post_init__(self) -> None:
        if len(json.dumps(self.metadata)) > MAX_METADATA_BYTES:
            detail = Detail(f"is larger than {MAX_METADATA_BYTES} bytes", ("metadata",))
            raise InvalidRequest(f"metadata: {detail.message}", [detail])
