"""The Celery app: `celery -A tasks.app worker`, `celery -A tasks.app beat`. Settings are read when Celery first asks for one."""

import logging
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_process_init, worker_process_shutdown

from config.garbage import keep_what_is_loaded
from config.settings import Settings
from gateway.observability.logging import configure_logging
from tasks.base import GatewayTask
from tasks.configuration import celery_settings
from tasks.connection import PromptAMQP
from tasks.handing_back import install_hand_back
from tasks.process import process
from tasks.watchdog import install_watchdog

app = Celery(
    "gateway",
    task_cls=GatewayTask,
    amqp=PromptAMQP,
    include=["tasks.executions", "tasks.flows", "tasks.maintenance", "tasks.patterns", "tasks.recoveries"],
)
app.add_defaults(lambda: celery_settings(Settings.at_start()))
install_watchdog(app)
install_hand_back(app)


@setup_logging.connect
def _configure_logging(**_: Any) -> None:
    """Ours, instead of Celery's: being connected is what tells Celery to leave logging alone."""
    configure_logging(Settings.at_start().process)
    for chatty in ("celery.worker.strategy", "celery.app.trace", "celery.beat"):
        logging.getLogger(chatty).setLevel(logging.WARNING)  # one line more for what task_started and task_finished say


@worker_process_init.connect
def _start_process(**_: Any) -> None:
    """In each child, after the fork."""
    process.container()
    keep_what_is_loaded()


@worker_process_shutdown.connect
def _stop_process(**_: Any) -> None:
    process.stop()
