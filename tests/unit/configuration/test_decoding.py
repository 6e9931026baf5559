"""From JSON to values: what matters is checked, the rest is let through."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.models.configuration import ConfigShape, ServiceShape
from gateway.configuration.decoding import read_config, read_page, read_service, read_services
from gateway.configuration.model import Known, Source
from gateway.errors import UpstreamInvalid

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["key", "value", "name", "host", "instances", "data"]), inner)
    ),
)


@given(JSON)
def test_anything_is_either_read_or_refused(body: Any) -> None:
    for read in (read_config, read_service, read_services, read_page):
        try:
            read(body)
        except UpstreamInvalid:
            continue


def test_a_config_value_keeps_its_layer() -> None:
    body = {
        "id": "1",
        "key": "k",
        "value": None,
        "type": "json",
        "environment": "production",
        "tenantId": "t",
        "userId": None,
        "version": 3,
    }
    value = read_config(body)
    assert (value.key, value.value, value.environment, value.tenant_id, value.version) == ("k", None, "production", "t", 3)


@pytest.mark.parametrize("body", [None, [], {}, {"key": "k"}, {"value": 1}, {"key": 1, "value": 1}])
def test_a_config_value_needs_key_and_value(body: Any) -> None:
    with pytest.raises(UpstreamInvalid):
        read_config(body)


@pytest.mark.parametrize("odd", ["1.0.0", 7, 1.5, True, [], {}, -1])
def test_what_stands_beside_the_value_never_breaks_the_answer(odd: Any) -> None:
    names = ("type", "environment", "tenantId", "userId", "version", "updatedAt", "id")
    value = read_config({"key": "k", "value": 1} | dict.fromkeys(names, odd))
    assert ConfigShape.of(Known(value, 0.0, stale=False, source=Source.SERVICE)).value == 1
    instance = {"host": "h", "port": 1} | dict.fromkeys(("id", "protocol", "healthEndpoint", "expiresAt", "status"), odd)
    assert ServiceShape.made_from(read_service({"name": "a", "version": odd, "instances": [instance]})).instances[0].host == "h"


def test_ids_and_versions_may_be_numbers() -> None:
    service = read_service({"name": "a", "version": 2, "instances": [{"id": 7, "host": "h", "port": 1}]})
    assert (service.version, service.instances[0].id) == ("2", "7")
    assert (
        read_config({"key": "k", "value": 1, "version": "3"}).version,
        read_config({"key": "k", "value": 1, "version": "x"}).version,
    ) == (3, None)


def test_a_page_tells_where_it_stands() -> None:
    page = read_page({"data": [{"id": "a"}], "pagination": {"page": 1, "limit": 1, "totalCount": "2"}})
    assert (page.documents, page.total, page.has_next) == (({"id": "a"},), 2, True)


@pytest.mark.parametrize("missing", ["page", "limit", "totalCount"])
@pytest.mark.parametrize("odd", [None, "many", -1, [], True])
def test_a_page_that_does_not_tell_where_it_stands_is_refused(missing: str, odd: Any) -> None:
    with pytest.raises(UpstreamInvalid):
        read_page({"data": [], "pagination": {"page": 1, "limit": 10, "totalCount": 0} | {missing: odd}})


@pytest.mark.parametrize("port", [None, 0, 65536, "80", True, 1.5])
def test_an_instance_needs_a_port(port: Any) -> None:
    with pytest.raises(UpstreamInvalid):
        read_service({"name": "a", "instances": [{"host": "h", "port": port}]})


def test_a_service_without_instances_is_its_own() -> None:
    service = read_service({"name": "a", "host": "::1", "port": 80, "protocol": "https", "status": "healthy"})
    assert [instance.base_url for instance in service.instances] == ["https://[::1]:80"]
    assert service.is_healthy


def test_an_expired_service_is_not_healthy() -> None:
    assert not read_service({"name": "a", "status": "expired", "instances": [{"host": "h", "port": 1}]}).is_healthy
    assert not read_service({"name": "a", "status": "healthy", "instances": []}).is_healthy
