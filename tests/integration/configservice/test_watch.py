"""The long poll: woken by a write, bounded in time and in number."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from configservice.container import EXTENSION

URL = "/api/v1/config"


@pytest.fixture
def poll(config_service: Flask) -> Iterator[Callable[[str], Future[Any]]]:
    """Starts long polls in threads of their own; all are ended with the test."""
    pool = ThreadPoolExecutor(8)
    yield lambda query: pool.submit(lambda: config_service.test_client().get(f"{URL}/watch?{query}"))
    config_service.extensions[EXTENSION].watchers.close()
    pool.shutdown()


def wait_until_waiting(app: Flask, count: int) -> None:
    """Until so many long polls wait."""
    watchers = app.extensions[EXTENSION].watchers
    deadline = time.monotonic() + 30
    while watchers.waiting < count:
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def test_a_write_wakes_the_waiter(
    config_service: Flask, config_client: FlaskClient, poll: Callable[[str], Future[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("configservice.configuration.watching.LOOK_SECONDS", 60.0)  # so that nothing but the write can wake it
    waiting = poll("since=0&wait=30")
    wait_until_waiting(config_service, 1)
    config_client.post(URL, json={"key": "k", "value": 1})
    assert waiting.result(20).json["data"]["keys"] == ["k"]


def test_a_write_of_another_process_wakes_it_too(
    config_service: Flask, make_config_service: Callable[..., Flask], poll: Callable[[str], Future[Any]]
) -> None:
    waiting = poll("since=0&wait=30")
    wait_until_waiting(config_service, 1)
    make_config_service().test_client().post(URL, json={"key": "k", "value": 1})
    assert waiting.result(30).json["data"]["keys"] == ["k"]


def test_nothing_changed_answers_empty_when_the_time_is_over(config_client: FlaskClient) -> None:
    answer = config_client.get(f"{URL}/watch?since=0&wait=0.05")
    assert answer.json["data"] == {"revision": 0, "keys": [], "changes": [], "more": False}


def test_without_since_only_what_comes_counts(config_client: FlaskClient) -> None:
    config_client.post(URL, json={"key": "k", "value": 1})
    assert config_client.get(f"{URL}/watch").json["data"] == {"revision": 1, "keys": [], "changes": [], "more": False}


def test_a_revision_of_a_database_that_is_gone_shows_everything(config_client: FlaskClient) -> None:
    config_client.post(URL, json={"key": "k", "value": 1})
    assert config_client.get(f"{URL}/watch?since=999&wait=30").json["data"]["keys"] == ["k"]


def test_one_waiter_too_many_is_answered_at_once(
    config_service: Flask, config_client: FlaskClient, poll: Callable[[str], Future[Any]]
) -> None:
    waiting = [poll("since=0&wait=30") for _ in range(4)]
    wait_until_waiting(config_service, 4)
    refused = config_client.get(f"{URL}/watch?since=0&wait=30")
    assert (refused.status_code, refused.headers["Retry-After"], refused.json["data"]["keys"]) == (200, "1", [])
    assert not any(each.done() for each in waiting)


def test_closing_ends_the_waiting(config_service: Flask, poll: Callable[[str], Future[Any]]) -> None:
    waiting = poll("since=0&wait=30")
    wait_until_waiting(config_service, 1)
    config_service.extensions[EXTENSION].watchers.close()
    assert waiting.result(30).status_code == 200


def test_more_than_a_thousand_changes_come_in_parts(config_client: FlaskClient) -> None:
    config_client.put("/api/v1/tenants/t1/config", json={f"k{number}": number for number in range(1005)})
    first = config_client.get(f"{URL}/watch?since=0").json["data"]
    assert (len(first["changes"]), first["more"]) == (1000, True)
    rest = config_client.get(f"{URL}/watch?since={first['revision']}").json["data"]
    assert (len(rest["changes"]), rest["more"], rest["revision"]) == (5, False, 1005)
