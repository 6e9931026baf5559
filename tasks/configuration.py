"""How Celery is set up, as a pure function of our settings. Each choice and its reason: docs/adr/0004-celery-settings.md."""

from typing import Any

from kombu.entity import Exchange
from kombu.entity import Queue as BrokerQueue

from config.settings import Settings
from gateway.outbox.celery import SEND_TIMEOUT_SECONDS
from gateway.outbox.health import HEARTBEAT_SECONDS
from gateway.outbox.model import ROUTES, Queue, TaskName

EXCHANGE = "gateway"
SOCKET_TIMEOUT_SECONDS = 10.0
TOPOLOGY_SECONDS = 15.0  # how late the graph of services and flows may be
RECOVERY_FLOWS_SECONDS = 10.0  # how late a recovery flow that was just registered may be known
PATTERN_UPLOAD_SECONDS = 60.0  # how late the registry may know what was learned
PROCESS_START_SECONDS = 30.0  # a child imports the whole product before it reports for work; Celery's 4 s kills it on a busy machine


def celery_settings(settings: Settings) -> dict[str, Any]:
    """Everything that differs from Celery 5.7's defaults, or that must not change with them."""
    return {**_broker(settings), **_tasks(), **_worker(settings), **_beat(settings)}


def _broker(settings: Settings) -> dict[str, Any]:
    visibility_timeout = settings.worker.visibility_timeout_seconds
    return {
        "broker_url": settings.broker_url,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,  # for ever
        "broker_transport_options": {**_transport_options(), "visibility_timeout": visibility_timeout},
        # the visibility timeout stands in three places; Celery and its Redis backend read different ones
        "visibility_timeout": visibility_timeout,
        "result_backend_transport_options": {"visibility_timeout": visibility_timeout},
        "result_backend": None,
    }


def _transport_options() -> dict[str, Any]:
    """Options of the Redis transport that bound every wait and notice a peer that went silent."""
    return {
        "socket_timeout": SOCKET_TIMEOUT_SECONDS,
        "socket_connect_timeout": SEND_TIMEOUT_SECONDS,
        "socket_keepalive": True,
        "health_check_interval": 5,
        "retry_on_timeout": False,
    }


def broker_queues() -> list[BrokerQueue]:
    """Every queue by its name; nothing else is ever declared."""
    exchange = Exchange(EXCHANGE, type="direct")  # type: ignore[no-untyped-call]  # kombu ships no types
    return [BrokerQueue(queue.value, exchange, routing_key=queue.value) for queue in Queue]  # type: ignore[no-untyped-call]


def _tasks() -> dict[str, Any]:
    return {
        "task_queues": broker_queues(),
        "task_create_missing_queues": False,
        "task_default_queue": Queue.MAINTENANCE.value,
        "task_routes": {task.value: {"queue": queue.value} for task, queue in ROUTES.items()},
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_ignore_result": True,
        "task_serializer": "json",
        "accept_content": ["json"],
        "timezone": "UTC",
        "enable_utc": True,
    }


def _worker(settings: Settings) -> dict[str, Any]:
    return {
        "worker_concurrency": settings.worker.concurrency,
        "worker_prefetch_multiplier": 1,
        "worker_soft_shutdown_timeout": settings.worker.soft_shutdown_seconds,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_enable_prefetch_count_reduction": False,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_proc_alive_timeout": PROCESS_START_SECONDS,
        "worker_send_task_events": False,
    }


def _beat(settings: Settings) -> dict[str, Any]:
    interval = settings.worker.sweep_interval_seconds
    heartbeats = {
        f"heartbeat-{queue.value}": {
            "task": TaskName.HEARTBEAT.value,
            "schedule": HEARTBEAT_SECONDS,
            "options": {"queue": queue.value, "expires": 2 * HEARTBEAT_SECONDS},  # nobody needs old ones
        }
        for queue in Queue
    }
    return {
        "beat_scheduler": "celery.beat:Scheduler",
        "beat_schedule": {
            "sweep": _every(interval, TaskName.SWEEP),
            "refresh-topology": _every(TOPOLOGY_SECONDS, TaskName.REFRESH_TOPOLOGY),
            "sweep-recoveries": _every(interval, TaskName.SWEEP_RECOVERIES),
            "refresh-recovery-flows": _every(RECOVERY_FLOWS_SECONDS, TaskName.REFRESH_RECOVERY_FLOWS),
            "upload-patterns": _every(PATTERN_UPLOAD_SECONDS, TaskName.UPLOAD_PATTERNS),
            **heartbeats,
        },
    }


def _every(seconds: float, task: TaskName) -> dict[str, Any]:
    """A task that nobody misses when it is late: the next one does the same."""
    return {"task": task.value, "schedule": seconds, "options": {"expires": 2 * seconds}}
