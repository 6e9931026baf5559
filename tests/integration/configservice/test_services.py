"""Leases of services. Time passes by moving a row's `expires_at`."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

URL = "/api/v1/services"
RunSql = Callable[[str], None]


def register(client: FlaskClient, name: str = "prices", port: int = 9000, **more: Any) -> Any:
    response = client.post(f"{URL}/register", json={"name": name, "host": "127.0.0.1", "port": port, **more})
    assert response.status_code == 201, response.text
    return response.json["data"]


def expire(run_sql: RunSql, port: int, age: str = "1 second") -> None:
    run_sql(f"UPDATE configservice.service_instances SET expires_at = now() - interval '{age}' WHERE port = {port}")


def statuses(client: FlaskClient) -> dict[str, tuple[str, list[int]]]:
    return {each["name"]: (each["status"], [instance["port"] for instance in each["instances"]]) for each in client.get(URL).json["data"]}


def test_an_expired_instance_is_neither_discovered_nor_renewed_and_comes_back_with_its_id(
    config_client: FlaskClient, run_sql: RunSql
) -> None:
    lease = register(config_client)
    expire(run_sql, 9000)
    assert statuses(config_client) == {"prices": ("expired", [9000])}
    assert config_client.get(f"{URL}/discover/prices").status_code == 404
    assert config_client.put(f"{URL}/{lease['id']}/heartbeat").status_code == 404
    assert register(config_client)["id"] == lease["id"]
    assert statuses(config_client) == {"prices": ("healthy", [9000])}


def test_of_a_healthy_service_only_alive_instances_are_shown(config_client: FlaskClient, run_sql: RunSql) -> None:
    register(config_client, port=9000)
    register(config_client, port=9001)
    expire(run_sql, 9000)
    assert statuses(config_client) == {"prices": ("healthy", [9001])}
    assert config_client.get(f"{URL}/discover/prices").json["data"]["port"] == 9001


def test_what_expired_long_ago_is_gone(config_client: FlaskClient, run_sql: RunSql) -> None:
    lease = register(config_client)
    expire(run_sql, 9000, "2 hours")
    assert statuses(config_client) == {}
    assert register(config_client)["id"] != lease["id"]


def test_a_heartbeat_renews_for_the_registered_time(config_client: FlaskClient, run_sql: RunSql) -> None:
    lease = register(config_client, ttlSeconds=120)
    run_sql("UPDATE configservice.service_instances SET expires_at = now() + interval '1 second'")
    renewed = config_client.put(f"{URL}/{lease['id']}/heartbeat").json["data"]
    assert renewed["ttlSeconds"] == 120
    assert renewed["expiresAt"] > lease["expiresAt"]


def test_the_default_lease_is_a_setting(make_config_service: Callable[..., Flask]) -> None:
    assert register(make_config_service(SERVICE_TTL_SECONDS="77").test_client())["ttlSeconds"] == 77


def test_registering_again_replaces_what_is_known(config_client: FlaskClient) -> None:
    register(config_client, capabilities=["a"], version="1.0.0")
    register(config_client, capabilities=["b", "c"], version="1.1.0", metadata={"dependsOn": ["orders"]})
    (service,) = config_client.get(URL).json["data"]
    assert (service["version"], service["instances"][0]["capabilities"]) == ("1.1.0", ["b", "c"])
    assert service["instances"][0]["metadata"] == {"dependsOn": ["orders"]}


def test_the_same_address_registered_at_once_is_one_instance(config_service: Flask) -> None:
    with ThreadPoolExecutor(6) as pool:
        ids = {lease["id"] for lease in pool.map(lambda _: register(config_service.test_client()), range(12))}
    assert len(ids) == 1


def test_statistics_count(config_client: FlaskClient, run_sql: RunSql) -> None:
    register(config_client, "prices", 9000, capabilities=["fetch", "sum"])
    register(config_client, "prices", 9001, capabilities=["fetch"])
    register(config_client, "old", 9002)
    expire(run_sql, 9002)
    assert config_client.get(f"{URL}/statistics").json["data"] == {
        "totalServices": 2,
        "healthyServices": 1,
        "expiredServices": 1,
        "totalInstances": 3,
        "healthyInstances": 2,
        "expiredInstances": 1,
        "capabilities": {"fetch": 2, "sum": 1},
    }


def test_unknown_leases(config_client: FlaskClient) -> None:
    for instance_id in ("nonsense", "00000000-0000-0000-0000-000000000000"):
        assert config_client.put(f"{URL}/{instance_id}/heartbeat").status_code == 404
        assert config_client.delete(f"{URL}/{instance_id}").status_code == 404


def test_a_wrong_registration_is_refused(config_client: FlaskClient) -> None:
    wrong: list[dict[str, Any]] = [
        {"name": "no spaces"},
        {"port": 0},
        {"port": 65536},
        {"port": "9000"},
        {"port": True},
        {"port": 10**30},
        {"host": "http://x/"},
        {"ttlSeconds": 0},
        {"ttlSeconds": 1.5},
        {"capabilities": "word"},
        {"capabilities": [1]},
        {"metadata": []},
        {"metadata": {"k": "x" * 70_000}},
        {"healthEndpoint": "health"},
        {"surprise": 1},
    ]
    for each in wrong:
        response = config_client.post(f"{URL}/register", json={"name": "prices", "host": "127.0.0.1", "port": 9000, **each})
        assert response.status_code == 400, each
        assert response.json["details"][0]["path"][0] == next(iter(each))
    assert config_client.get(URL).json["data"] == []
