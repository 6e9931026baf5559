"""The rows of services. PostgreSQL's clock decides who is alive, so that two processes never disagree."""

import uuid
from typing import Any

from msgspec import structs
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from configservice.database import AnyRow, Database
from configservice.services.bodies import RegisterService
from configservice.services.model import Instance, Lease, Service, group_by_name
from configservice.tables import NOW, service_instances
from gateway.errors import NotFound

EXPIRED_KEPT_SECONDS = 3600  # how long an expired instance is still listed
instances = service_instances.c

STILL_KEPT = instances.expires_at > NOW - func.make_interval(0, 0, 0, 0, 0, 0, EXPIRED_KEPT_SECONDS)


class ServiceStore:
    """Leases of service instances."""

    def __init__(self, database: Database, default_ttl_seconds: int) -> None:
        self._database = database
        self._default_ttl_seconds = default_ttl_seconds

    def register(self, body: RegisterService) -> Lease:
        """Lease an address; the same name, host and port renews its lease and keeps its id. Purges what expired long ago."""
        ttl_seconds = body.ttl_seconds or self._default_ttl_seconds
        content = {**structs.asdict(body), "ttl_seconds": ttl_seconds, "expires_at": _after(ttl_seconds)}
        statement = insert(service_instances).values(id=str(uuid.uuid4()), **content)
        statement = statement.on_conflict_do_update(index_elements=["name", "host", "port"], set_={**content, "registered_at": NOW})
        purge = service_instances.delete().where(~STILL_KEPT)

        def work(connection: Any) -> AnyRow:
            connection.execute(purge)
            return connection.execute(statement.returning(instances.id, instances.ttl_seconds, instances.expires_at)).one()  # type: ignore[no-any-return]

        return Lease(*self._database.write(work))

    def renew(self, instance_id: str) -> Lease:
        """Renew a lease that is still alive.

        Raises:
            NotFound: the instance never registered, left, or its lease ran out: it must register again (and gets its old id back).
        """
        statement = (
            service_instances.update()
            .where(instances.id == _known_form(instance_id), instances.expires_at > NOW)
            .values(expires_at=_after(instances.ttl_seconds))
            .returning(instances.id, instances.ttl_seconds, instances.expires_at)
        )
        row = self._database.write(lambda connection: connection.execute(statement).one_or_none())
        if row is None:
            raise NotFound("No such registration, or its lease ran out: register again")
        return Lease(*row)

    def leave(self, instance_id: str) -> None:
        """Give the lease up.

        Raises:
            NotFound: no such registration.
        """
        statement = service_instances.delete().where(instances.id == _known_form(instance_id))
        if not self._database.write(lambda connection: connection.execute(statement).rowcount):
            raise NotFound("No such registration")

    def list_services(self, name: str | None = None) -> list[Service]:
        """The services by name, those whose last lease ran out less than an hour ago included."""
        statement = select(service_instances, (instances.expires_at > NOW).label("alive")).where(STILL_KEPT)
        if name is not None:
            statement = statement.where(instances.name == name)
        statement = statement.order_by(instances.name, instances.registered_at.desc(), instances.id)
        rows = self._database.read(lambda connection: connection.execute(statement).all())
        return group_by_name(_instance(row) for row in rows)

    def discover(self, name: str) -> Service:
        """The alive instances of a service.

        Raises:
            NotFound: none is alive.
        """
        found = next(iter(self.list_services(name)), None)
        if found is None or not found.alive:
            raise NotFound(f"No instance of the service {name!r} is alive")
        return found


def _after(seconds: Any) -> Any:
    return NOW + func.make_interval(0, 0, 0, 0, 0, 0, seconds)


def _known_form(instance_id: str) -> str:
    try:
        return str(uuid.UUID(instance_id))
    except ValueError as error:
        raise NotFound("No such registration") from error


def _instance(row: AnyRow) -> Instance:
    return Instance(
        id=row.id,
        name=row.name,
        version=row.version,
        host=row.host,
        port=row.port,
        protocol=row.protocol,
        health_endpoint=row.health_endpoint,
        capabilities=tuple(row.capabilities),
        metadata=row.metadata,
        expires_at=row.expires_at,
        alive=row.alive,
    )
