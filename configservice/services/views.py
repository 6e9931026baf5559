"""The service routes."""

import random
from collections import Counter
from typing import Any

from flask import Blueprint, Response

from configservice.container import parts
from configservice.envelope import moment, no_content, success
from configservice.services.bodies import RegisterService
from configservice.services.model import Instance, Lease, Service

blueprint = Blueprint("services", __name__, url_prefix="/api/v1/services")


@blueprint.post("/register")
def register() -> Response:
    """Lease an address, or renew the lease of this name, host and port. 201."""
    lease = parts().services.register(RegisterService.read())
    return success(render_lease(lease), "Service registered", status=201)


@blueprint.put("/<instance_id>/heartbeat")
def renew(instance_id: str) -> Response:
    """Renew the lease; 404 asks the service to register again. A body is not read."""
    return success(render_lease(parts().services.renew(instance_id)), "Lease renewed")


@blueprint.delete("/<instance_id>")
def leave(instance_id: str) -> Response:
    """Give the lease up. 204."""
    parts().services.leave(instance_id)
    return no_content()


@blueprint.get("")
def list_services() -> Response:
    """Every service with its instances; `expired` when no instance is alive."""
    return success([render_service(each) for each in parts().services.list_services()])


@blueprint.get("/discover/<name>")
def discover(name: str) -> Response:
    """One alive instance, chosen by chance, and all of them."""
    service = parts().services.discover(name)
    chosen = random.choice(service.instances)
    return success(
        {
            "name": service.name,
            "host": chosen.host,
            "port": chosen.port,
            "protocol": chosen.protocol,
            "status": "healthy",
            "instances": [render_instance(each) for each in service.instances],
        }
    )


@blueprint.get("/statistics")
def show_statistics() -> Response:
    """Counts of services, instances and capabilities. An instance that expired beside an alive one of its service is not counted."""
    services = parts().services.list_services()
    alive = [each for each in services if each.alive]
    expired = [each for each in services if not each.alive]
    capabilities = Counter(word for service in alive for each in service.instances for word in set(each.capabilities))
    return success(
        {
            "totalServices": len(services),
            "healthyServices": len(alive),
            "expiredServices": len(expired),
            "totalInstances": sum(len(each.instances) for each in services),
            "healthyInstances": sum(len(each.instances) for each in alive),
            "expiredInstances": sum(len(each.instances) for each in expired),
            "capabilities": dict(sorted(capabilities.items())),
        }
    )


def render_lease(lease: Lease) -> dict[str, Any]:
    """`{id, ttlSeconds, expiresAt}`."""
    return {"id": lease.id, "ttlSeconds": lease.ttl_seconds, "expiresAt": moment(lease.expires_at)}


def render_service(service: Service) -> dict[str, Any]:
    """`{name, version, status, instances}`."""
    return {
        "name": service.name,
        "version": service.version,
        "status": "healthy" if service.alive else "expired",
        "instances": [render_instance(each) for each in service.instances],
    }


def render_instance(instance: Instance) -> dict[str, Any]:
    """`{id, host, port, protocol, healthEndpoint, capabilities, metadata, expiresAt}`."""
    return {
        "id": instance.id,
        "host": instance.host,
        "port": instance.port,
        "protocol": instance.protocol,
        "healthEndpoint": instance.health_endpoint,
        "capabilities": list(instance.capabilities),
        "metadata": instance.metadata,
        "expiresAt": moment(instance.expires_at),
    }
