from datetime import UTC, datetime, timedelta

from gateway.outbox.health import SILENT_SECONDS, describe
from gateway.outbox.model import Backlog, Queue

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def beats(age_seconds: float) -> list[tuple[str, str, datetime]]:
    return [("w1", queue.value, NOW - timedelta(seconds=age_seconds)) for queue in Queue]


def test_healthy_when_every_queue_was_consumed_lately() -> None:
    assert describe(beats(3), Backlog(0, 0), NOW, fresh=True)["status"] == "healthy"


def test_unhealthy_when_one_queue_has_no_consumer() -> None:
    assert describe(beats(3)[1:], Backlog(0, 0), NOW, fresh=True)["status"] == "unhealthy"


def test_unhealthy_when_a_connected_worker_stopped_consuming() -> None:
    assert describe(beats(SILENT_SECONDS + 1), Backlog(0, 0), NOW, fresh=True)["status"] == "unhealthy"


def test_unknown_when_no_worker_was_ever_heard() -> None:
    assert describe([], Backlog(0, 0), NOW, fresh=True)["status"] == "unknown"


def test_unknown_when_the_last_reading_is_old() -> None:
    assert describe(beats(3), Backlog(0, 0), NOW, fresh=False)["status"] == "unknown"


def test_tells_when_each_queue_and_worker_was_last_heard() -> None:
    shown = describe([*beats(3), ("w2", "executions", NOW)], Backlog(2, 1.26), NOW, fresh=True)
    assert shown["queues"]["executions"] == {"lastConsumedAt": "2026-01-01T12:00:00Z", "ageSeconds": 0.0}
    assert shown["workers"][0] == {"hostname": "w1", "lastSeenAt": "2026-01-01T11:59:57Z", "ageSeconds": 3.0}
    assert shown["outbox"] == {"pending": 2, "oldestSeconds": 1.3}


def test_a_queue_that_was_never_consumed_has_no_age() -> None:
    shown = describe([], None, NOW, fresh=True)
    assert shown["queues"]["executions"] == {"lastConsumedAt": None, "ageSeconds": None}
