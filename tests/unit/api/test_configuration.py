"""Configuration values at the edge: layers, freshness, conditional requests."""

import pytest

from gateway.configuration.errors import ConfigurationUnavailable
from gateway.configuration.model import ConfigValue, Known, Source
from tests.fakes.container import FakeContainer
from tests.fakes.edge import make_client, pointers

PATH = "/api/v1/config/feature.x"
VALUE = ConfigValue("feature.x", {"on": True}, "json", "global", version=3, updated_at="2026-01-01T00:00:00Z", id="1")


def container_with(known: Known[ConfigValue]) -> FakeContainer:
    container = FakeContainer()
    container.configuration.values["feature.x"] = known
    return container


def fresh(age_seconds: float = 0.0, source: Source = Source.SERVICE) -> Known[ConfigValue]:
    return Known(VALUE, age_seconds, stale=False, source=source)


STALE = Known(VALUE, 65.4, stale=True, source=Source.LAST_KNOWN_GOOD)


def test_the_layers_are_given_on() -> None:
    container = container_with(fresh())
    data = make_client(container).get(f"{PATH}?environment=production&tenantId=t1&userId=u1").get_json()["data"]
    assert (data["value"], data["stale"], data["version"]) == ({"on": True}, False, 3)
    assert container.configuration.asked == [{"key": "feature.x", "environment": "production", "tenant_id": "t1", "user_id": "u1"}]


def test_a_value_that_was_asked_just_now_is_a_miss() -> None:
    headers = make_client(container_with(fresh())).get(PATH).headers
    assert (headers["Age"], headers["Cache-Status"]) == ("0", "api-gateway; fwd=miss; stored")


def test_a_copy_tells_its_age_and_what_is_left_of_its_freshness() -> None:
    headers = make_client(container_with(fresh(2.5, Source.MEMORY))).get(PATH).headers
    assert (headers["Age"], headers["Cache-Status"]) == ("2", "api-gateway; hit; ttl=2; detail=memory")
    assert "X-Fallback-Available" not in headers


def test_the_last_known_good_value_is_marked_stale() -> None:
    container = container_with(STALE)
    response = make_client(container).get(PATH)
    body = response.get_json()
    assert (body["stale"], body["data"]["stale"], body["ageSeconds"]) == (True, True, 65.4)
    assert response.headers["Cache-Status"] == "api-gateway; hit; ttl=-61; detail=last-known-good"
    assert response.headers["X-Fallback-Available"] == "true"
    assert container.analytics.recorded[0].served_from == "last-known-good"


def test_a_client_that_has_the_value_gets_a_304_with_its_freshness() -> None:
    container = container_with(fresh())
    client = make_client(container)
    etag = client.get(PATH).headers["ETag"]
    container.configuration.values["feature.x"] = fresh(4.0, Source.MEMORY)
    response = client.get(PATH, headers={"If-None-Match": etag})
    assert (response.status_code, response.get_data(), response.headers["Age"]) == (304, b"", "4")


def test_a_changed_or_stale_value_has_another_etag() -> None:
    container = container_with(fresh())
    client = make_client(container)
    etag = client.get(PATH).headers["ETag"]
    container.configuration.values["feature.x"] = STALE
    assert client.get(PATH, headers={"If-None-Match": etag}).status_code == 200


def test_a_compressed_answer_has_the_same_etag() -> None:
    container = container_with(Known(ConfigValue("feature.x", "v" * 2000, "string"), 0.0, stale=False, source=Source.SERVICE))
    client = make_client(container)
    response = client.get(PATH, headers={"Accept-Encoding": "gzip"})
    assert response.headers["Content-Encoding"] == "gzip"
    again = client.get(PATH, headers={"Accept-Encoding": "gzip", "If-None-Match": response.headers["ETag"]})
    assert again.status_code == 304


def test_a_key_that_nobody_set_is_a_404() -> None:
    response = make_client().get(PATH)
    assert (response.status_code, response.get_json()["code"]) == (404, "CONFIG_NOT_FOUND")


def test_a_key_that_cannot_be_asked_is_a_503() -> None:
    container = FakeContainer()
    container.configuration.error = ConfigurationUnavailable("The Configuration Service does not answer", retry_after_seconds=1)
    response = make_client(container).get(PATH)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")


@pytest.mark.parametrize("key", ["a%20", "%00", "a%0ab", "x" * 256, "a%ff"])
def test_a_key_that_is_no_key_is_pointed_at(key: str) -> None:
    container = FakeContainer()
    response = make_client(container).get(f"/api/v1/config/{key}")
    assert (response.status_code, pointers(response.get_json())) == (400, ["{key}"])
    assert container.configuration.asked == []


@pytest.mark.parametrize(
    ("path", "key"), [("a/b", "a/b"), ("a%2Fb", "a/b"), ("a//b", "a//b"), ("a/b/", "a/b/"), ("%2Fa", "/a"), ("%2F", "/")]
)
def test_a_key_may_hold_slashes(path: str, key: str) -> None:
    container = FakeContainer()
    container.configuration.values[key] = fresh()
    assert make_client(container).get(f"/api/v1/config/{path}").status_code == 200
    assert container.configuration.asked[0]["key"] == key


@pytest.mark.parametrize("query", ["tenantId=%00", "tenantId=" + "x" * 101, "userId=a%0ab"])
def test_a_layer_that_is_no_name_is_pointed_at(query: str) -> None:
    response = make_client().get(f"{PATH}?{query}")
    assert (response.status_code, pointers(response.get_json())) == (400, [f"?{query.split('=', maxsplit=1)[0]}"])
