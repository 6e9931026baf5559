"""Layers, versions, secrets and a tenant's layer."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

URL = "/api/v1/config"
LAYERS: dict[str, dict[str, str]] = {
    "global": {},
    "environment": {"environment": "production"},
    "tenant": {"tenantId": "t1"},
    "tenant in environment": {"tenantId": "t1", "environment": "production"},
    "user": {"userId": "u1"},
    "user of tenant": {"userId": "u1", "tenantId": "t1"},
}


def write(client: FlaskClient, key: str, value: Any, **more: Any) -> Any:
    response = client.post(URL, json={"key": key, "value": value, **more})
    assert response.status_code == 201, response.text
    return response.json["data"]


def read(client: FlaskClient, key: str, **asking: str) -> Any:
    response = client.get(URL, query_string={"key": key, **asking})
    return response.json["data"]["value"] if response.status_code == 200 else None


@pytest.mark.parametrize(
    ("present", "winner"),
    [
        (["global"], "global"),
        (["global", "environment"], "environment"),
        (["environment", "tenant"], "tenant"),
        (["tenant", "tenant in environment"], "tenant in environment"),
        (["tenant in environment", "user"], "user"),
        (["user", "user of tenant", "global"], "user of tenant"),
    ],
)
def test_the_narrowest_layer_wins(config_client: FlaskClient, present: list[str], winner: str) -> None:
    for name in present:
        write(config_client, "k", name, **LAYERS[name])
    assert read(config_client, "k", environment="production", tenantId="t1", userId="u1") == winner


def test_others_do_not_see_a_layer(config_client: FlaskClient) -> None:
    for number, (name, layer) in enumerate(LAYERS.items()):
        write(config_client, f"k{number}", 1, **layer)
        seen = 1 if name == "global" else None
        assert read(config_client, f"k{number}", environment="staging", tenantId="t2", userId="u2") == seen
        assert read(config_client, f"k{number}") == seen


def test_values_keep_their_type(config_client: FlaskClient) -> None:
    typed: list[tuple[Any, str]] = [
        ("text", "string"),
        (1, "number"),
        (1.5, "number"),
        (True, "boolean"),
        ({"b": [1, None], "a": 0}, "json"),
    ]
    for value, kind in [
        *typed,
        (None, "json"),
        ([], "json"),
        ("text", "json"),
        (10**40, "number"),
        (1e300, "number"),
        ("\u00e9\u4e2d\U0001f600", "string"),
    ]:
        assert write(config_client, "k", value, type=kind)["type"] == kind
        found = config_client.get(URL, query_string={"key": "k"}).json["data"]["value"]
        assert (found, type(found)) == (value, type(value))
    for value, kind in typed:
        assert write(config_client, "k", value)["type"] == kind


def test_a_value_of_another_type_is_refused(config_client: FlaskClient) -> None:
    wrong: list[tuple[Any, str]] = [("1", "number"), (1, "string"), (True, "number"), (1, "boolean"), ({}, "string"), (None, "string")]
    for value, kind in wrong:
        response = config_client.post(URL, json={"key": "k", "value": value, "type": kind})
        assert (response.status_code, response.json["details"][0]["path"]) == (400, ["value"])


def test_keys_may_hold_slashes(config_client: FlaskClient) -> None:
    write(config_client, "brain/limits/max", 5)
    assert config_client.get("/api/config/brain/limits/max").json["config"]["value"] == 5
    assert config_client.get(f"{URL}/brain/limits/max/history").json["pagination"]["totalCount"] == 1


def test_every_write_is_a_version_and_what_is_not_said_stays(config_client: FlaskClient) -> None:
    write(config_client, "k", 1, description="first", tags=["a"])
    assert write(config_client, "k", 2)["version"] == 2
    write(config_client, "k", 9, tenantId="t1")
    newest, oldest = config_client.get(f"{URL}/k/history").json["data"]
    assert (newest["version"], newest["description"], newest["tags"], newest["value"]) == (2, "first", ["a"], 2)
    assert (oldest["version"], oldest["revision"], newest["revision"]) == (1, 1, 2)


def test_history_is_paged_and_belongs_to_one_layer(config_client: FlaskClient) -> None:
    for value in range(5):
        write(config_client, "k", value)
    page = config_client.get(f"{URL}/k/history?page=2&limit=2").json
    assert [each["version"] for each in page["data"]] == [3, 2]
    assert page["pagination"] == {"page": 2, "limit": 2, "totalCount": 5, "totalPages": 3, "hasNext": True, "hasPrev": True}
    assert config_client.get(f"{URL}/k/history?tenantId=t1").status_code == 404


def test_rollback_restores_content_and_refuses_what_never_was(config_client: FlaskClient) -> None:
    write(config_client, "k", "old", description="one")
    write(config_client, "k", {"new": 1}, description="two")
    response = config_client.post(f"{URL}/k/rollback", json={"version": 1})
    assert (response.json["data"]["value"], response.json["data"]["type"], response.json["data"]["version"]) == ("old", "string", 3)
    newest = config_client.get(f"{URL}/k/history").json["data"][0]
    assert (newest["restoredVersion"], newest["description"]) == (1, "one")
    assert config_client.post(f"{URL}/k/rollback", json={"version": 9}).status_code == 404
    assert config_client.post(f"{URL}/k/rollback", json={"version": 2**40}).status_code == 400
    assert config_client.post(f"{URL}/nothing/rollback", json={"version": 1}).status_code == 404


def test_a_secret_is_shown_to_who_reads_it_and_nowhere_else(config_client: FlaskClient, capsys: pytest.CaptureFixture[str]) -> None:
    answers = [config_client.post(URL, json={"key": "db.password", "value": "hunter2-old", "isSecret": True, "tenantId": "t1"})]
    answers.append(config_client.post(URL, json={"key": "db.password", "value": "hunter2-new", "tenantId": "t1"}))
    answers.append(config_client.post(f"{URL}/db.password/rollback", json={"version": 1, "tenantId": "t1"}))
    answers.append(config_client.get(f"{URL}/db.password/history?tenantId=t1"))
    answers.append(config_client.get(f"{URL}/watch?since=0"))
    answers.append(config_client.get("/api/v1/tenants/t1/config"))
    assert all(answer.status_code < 300 and "hunter2" not in answer.text for answer in answers)
    assert "hunter2" not in capsys.readouterr().out
    assert read(config_client, "db.password", tenantId="t1") == "hunter2-old"


def test_only_a_secret_is_marked_as_one(config_client: FlaskClient) -> None:
    write(config_client, "k", "s", isSecret=True)
    write(config_client, "plain", "v")
    assert config_client.get(f"{URL}?key=k").json["data"]["isSecret"] is True
    assert config_client.get("/api/config/k").json["config"]["isSecret"] is True
    assert "isSecret" not in config_client.get(f"{URL}?key=plain").json["data"]


def test_a_secret_survives_the_replacing_of_its_layer(config_client: FlaskClient) -> None:
    write(config_client, "password", "s", isSecret=True, tenantId="t1")
    config_client.put("/api/v1/tenants/t1/config", json={"theme": "dark"})
    assert read(config_client, "password", tenantId="t1") == "s"
    config_client.put("/api/v1/tenants/t1/config", json={"password": "s2"})
    assert read(config_client, "password", tenantId="t1") == "s2"
    assert config_client.get("/api/v1/tenants/t1/config").json["data"] == {}


def test_replacing_a_layer_deletes_what_is_not_named_and_touches_nothing_else(config_client: FlaskClient) -> None:
    write(config_client, "theme", "light")
    write(config_client, "theme", "blue", tenantId="t2")
    config_client.put("/api/v1/tenants/t1/config", json={"theme": "dark", "seats": 3})
    before = config_client.get(f"{URL}/watch").json["data"]["revision"]
    config_client.put("/api/v1/tenants/t1/config", json={"seats": 3})
    assert read(config_client, "theme", tenantId="t1") == "light"
    assert read(config_client, "theme", tenantId="t2") == "blue"
    (change,) = config_client.get(f"{URL}/watch?since={before}").json["data"]["changes"]
    assert (change["key"], change["deleted"], change["version"]) == ("theme", True, 2)
    assert config_client.post(f"{URL}/theme/rollback?tenantId=t1", json={"version": 2}).status_code == 409
    assert config_client.post(f"{URL}/theme/rollback?tenantId=t1", json={"version": 1}).json["data"]["value"] == "dark"


def test_a_large_layer_is_replaced_in_one_go(config_client: FlaskClient) -> None:
    before = {f"k{number}": number for number in range(2_000)}
    after = {f"k{number}": number // 1_000 * number for number in range(500, 2_500)}
    for layer in (before, after):
        assert config_client.put("/api/v1/tenants/t1/config", json=layer).json["data"] == layer
    history = {key: config_client.get(f"{URL}/{key}/history?tenantId=t1").json["data"] for key in ("k0", "k700", "k1500", "k2400")}
    assert [[(each["version"], each["value"], each["deleted"]) for each in versions] for versions in history.values()] == [
        [(2, None, True), (1, 0, False)],
        [(2, 0, False), (1, 700, False)],
        [(1, 1500, False)],
        [(1, 4800, False)],
    ]
    assert config_client.get(f"{URL}/watch").json["data"]["revision"] == 2_000 + 500 + 500 + 500


def test_a_layer_that_is_too_large_is_refused(config_client: FlaskClient) -> None:
    response = config_client.put("/api/v1/tenants/t1/config", json=dict.fromkeys(map(str, range(5_001)), 1))
    assert (response.status_code, response.json["details"][0]["type"]) == (400, "object.max")


def test_concurrent_writers_get_versions_and_revisions_of_their_own(config_service: Flask) -> None:
    def many(writer: int) -> list[int]:
        client = config_service.test_client()
        return [write(client, "shared", writer * 100 + turn)["version"] for turn in range(10)]

    with ThreadPoolExecutor(6) as pool:
        versions = [version for mine in pool.map(many, range(6)) for version in mine]
    assert sorted(versions) == list(range(1, 61))
    history = config_service.test_client().get(f"{URL}/shared/history?limit=500").json["data"]
    assert sorted(each["revision"] for each in history) == list(range(1, 61))


def test_two_replacements_of_a_layer_never_mix(config_service: Flask) -> None:
    def replace(writer: int) -> None:
        client = config_service.test_client()
        for turn in range(5):
            client.put("/api/v1/tenants/t1/config", json={"a": [writer, turn], "b": [writer, turn], f"only-{writer}": 1})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(replace, range(4)))
    layer = config_service.test_client().get("/api/v1/tenants/t1/config").json["data"]
    assert layer["a"] == layer["b"]
    assert len(layer) == 3


def test_the_history_keeps_the_newest_versions(make_config_service: Callable[..., Flask]) -> None:
    client = make_config_service(CONFIG_VERSIONS_KEPT="3").test_client()
    for value in range(5):
        write(client, "k", value)
        write(client, "k", value, tenantId="t1") if value < 2 else None
    history = client.get(f"{URL}/k/history?limit=2").json
    assert [each["version"] for each in history["data"]] == [5, 4]
    assert history["pagination"]["totalCount"] == 3
    assert client.get(f"{URL}/k/history?tenantId=t1").json["pagination"]["totalCount"] == 2
    assert client.post(f"{URL}/k/rollback", json={"version": 2}).status_code == 404
    assert client.post(f"{URL}/k/rollback", json={"version": 3}).json["data"]["version"] == 6
    assert read(client, "k") == 2
