"""What the client makes of a Configuration Service: alike against the platform's and against our own, unless the test says otherwise."""

import pytest

from gateway.configuration.errors import ConfigNotFound, NotOffered, ServiceNotFound
from gateway.configuration.offers import Endpoint
from gateway.errors import InvalidInput
from tests.contract.configuration.conftest import ServedConfiguration
from tests.fakes.configuration_room import Room


def test_health_is_read(room: Room) -> None:
    assert room.client.check_health()["status"] == "healthy"


@pytest.mark.parametrize(("key", "value"), [("log.level", "INFO"), ("max-retries", 3), ("feature:new", True), ("limits", {"a": [1, None]})])
def test_a_value_is_read(served: ServedConfiguration, room: Room, key: str, value: object) -> None:
    served.set_config(key, value)
    body = room.client.get_config(key, None, None, None)
    assert (body["key"], body["value"]) == (key, value)


def test_a_value_that_nobody_set_is_not_found(room: Room) -> None:
    with pytest.raises(ConfigNotFound):
        room.client.get_config("nobody.set.this", "production", "tenant-1", "user-1")


@pytest.mark.parametrize("key", ["..", ".", "../flows", "a/../../health", "a?b=c", "a#b", "%2e%2e", "ключ"])
def test_a_strange_key_never_reaches_another_endpoint(room: Room, key: str) -> None:
    with pytest.raises((ConfigNotFound, InvalidInput)):
        room.client.get_config(key, None, None, None)


def test_which_endpoint_served_is_known_afterwards(served: ServedConfiguration, room: Room) -> None:
    served.set_config("k", "v")
    room.client.get_config("k", None, None, None)
    assert room.transport.offers.is_offered(Endpoint.CONFIG) is served.offers_services
    assert room.transport.offers.is_missing(Endpoint.CONFIG) is not served.offers_services


def test_a_missing_value_says_nothing_about_the_endpoint(served: ServedConfiguration, room: Room) -> None:
    with pytest.raises(ConfigNotFound):
        room.client.get_config("absent", None, None, None)
    assert room.transport.offers.list_missing() == []
    served.set_config("present", "v")
    assert room.client.get_config("present", None, None, None)["value"] == "v"


REGISTRATION = {
    "name": "prices",
    "version": "1.2.3",
    "host": "127.0.0.1",
    "port": 9001,
    "protocol": "http",
    "healthEndpoint": "/health",
    "capabilities": ["price_lookup"],
    "metadata": {"dependsOn": ["postgres"]},
    "ttlSeconds": 30,
}


def test_services_register_renew_and_leave_where_that_is_offered(served: ServedConfiguration, room: Room) -> None:
    if not served.offers_services:
        with pytest.raises(NotOffered):
            room.client.register_service(REGISTRATION)
        assert str(Endpoint.REGISTER) in room.transport.offers.list_missing()
        return
    lease = room.client.register_service(REGISTRATION)
    assert lease["ttlSeconds"] == 30
    assert room.client.register_service(REGISTRATION)["id"] == lease["id"], "the same name, host and port renew"
    assert room.client.renew_service(lease["id"])
    room.client.leave_service(lease["id"], timeout_seconds=2)
    assert not room.client.renew_service(lease["id"])


def test_services_are_discovered_where_that_is_offered(served: ServedConfiguration, room: Room) -> None:
    if not served.offers_services:
        assert room.services.list_services().value == ()
        with pytest.raises(ServiceNotFound):
            room.services.discover("prices")
        assert room.services.find_capable("price_lookup") is None
        return
    room.client.register_service(REGISTRATION)
    service = room.services.discover("prices").value
    assert service.is_healthy
    assert service.instances[0].base_url == "http://127.0.0.1:9001"
    capable = room.services.find_capable("price_lookup")
    assert capable is not None
    assert capable.instances == service.instances
    assert room.services.find_capable("another") is None
    assert [each.name for each in room.services.list_services().value] == ["prices"]


def test_a_capability_that_came_since_the_last_list_is_found_at_once(served: ServedConfiguration, room: Room) -> None:
    assert room.services.find_capable("price_lookup") is None
    with pytest.raises(ServiceNotFound):
        room.services.rediscover_capable("price_lookup")
    if not served.offers_services:
        return
    room.client.register_service(REGISTRATION)
    found = room.services.find_capable("price_lookup")
    assert found == room.services.rediscover_capable("price_lookup")
    assert found is not None
    assert found.name == "prices"


def test_a_service_that_nobody_registered_is_not_found(room: Room) -> None:
    for name in ("nobody", "..", "a/b"):
        with pytest.raises(ServiceNotFound):
            room.services.discover(name)
