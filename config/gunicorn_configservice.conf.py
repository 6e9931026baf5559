"""gunicorn for the reference Configuration Service: `gunicorn -c config/gunicorn_configservice.conf.py wsgi:configuration_service`."""  # noqa: N999 - named after its sibling

import signal
from types import FrameType
from typing import Any

from config.answering import AnsweringWorker
from config.garbage import keep_what_is_loaded
from config.settings import Settings
from config.worker import PipelineLogger, memory_directory
from gateway.observability.logging import configure_logging

_settings = Settings.at_start()
_own = _settings.config_service

bind = f"[{_own.host}]:{_own.port}" if ":" in _own.host else f"{_own.host}:{_own.port}"
workers = 1
threads = _own.threads
worker_class = AnsweringWorker
timeout = _settings.web.request_timeout_seconds
graceful_timeout = _settings.web.graceful_timeout_seconds
keepalive = 75  # its clients keep their connections; they must be the ones to close them
logger_class = PipelineLogger
accesslog = None
control_socket_disable = True
worker_tmp_dir = memory_directory()  # the heartbeat file must not wait for a disk
proc_name = "configuration-service"


def on_starting(_server: Any) -> None:
    """In the master, before it listens."""
    configure_logging(_settings.process)


def on_reload(_server: Any) -> None:
    """SIGHUP: the settings of logging may have changed."""
    configure_logging(_settings.process)


def post_fork(_server: Any, worker: AnsweringWorker) -> None:
    """In the worker, before it loads the application."""
    worker.patience_seconds = _settings.web.arrival_seconds


def post_worker_init(worker: Any) -> None:
    """SIGTERM answers the long polls too: they would hold the worker for up to 30 s. Runs after gunicorn set its own handlers."""
    watchers = worker.wsgi.extensions["configservice"].watchers
    leave = worker.handle_exit

    def end_long_polls(number: int, frame: FrameType | None) -> None:
        watchers.close()
        leave(number, frame)

    signal.signal(signal.SIGTERM, end_long_polls)
    signal.siginterrupt(signal.SIGTERM, False)  # as gunicorn had it: no system call of a request is interrupted
    keep_what_is_loaded()
