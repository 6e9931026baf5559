from config.settings import Settings
from gateway.outbox.model import Queue, TaskName
from tasks.configuration import celery_settings


def configured(**variables: str) -> dict[str, object]:
    return celery_settings(Settings.from_environment({"DRAGONFLY_URL": "redis://127.0.0.1:6379/0", **variables}))


def test_a_message_is_acknowledged_only_after_its_work() -> None:
    settings = configured()
    assert settings["task_acks_late"] is True
    assert settings["task_reject_on_worker_lost"] is True
    assert settings["worker_prefetch_multiplier"] == 1


def test_the_visibility_timeout_stands_in_all_three_places() -> None:
    settings = configured(VISIBILITY_TIMEOUT_SECONDS="120")
    assert settings["visibility_timeout"] == 120
    assert settings["broker_transport_options"]["visibility_timeout"] == 120  # type: ignore[index]
    assert settings["result_backend_transport_options"]["visibility_timeout"] == 120  # type: ignore[index]


def test_a_broker_that_is_away_is_waited_for_without_end() -> None:
    settings = configured()
    assert settings["broker_connection_retry_on_startup"] is True
    assert settings["broker_connection_max_retries"] is None


def test_nothing_but_the_declared_queues_exists() -> None:
    settings = configured()
    assert settings["task_create_missing_queues"] is False
    assert {queue.name for queue in settings["task_queues"]} == {queue.value for queue in Queue}  # type: ignore[attr-defined]


def test_beat_rings_the_sweeper_and_every_queue() -> None:
    schedule = configured(SWEEP_INTERVAL_SECONDS="3")["beat_schedule"]
    assert schedule["sweep"]["schedule"] == 3  # type: ignore[index]
    rung = {entry["options"].get("queue") for entry in schedule.values() if entry["task"] == TaskName.HEARTBEAT}  # type: ignore[attr-defined]
    assert rung == {queue.value for queue in Queue}


def test_no_countdown_hides_in_the_schedule() -> None:
    entries = configured()["beat_schedule"].values()  # type: ignore[attr-defined]
    assert not any({"countdown", "eta"} & set(entry["options"]) for entry in entries)
