"""From JSON to values: what matters is checked, the rest is let through."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.configuration.decoding import read_config, read_page, read_service, read_services
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
