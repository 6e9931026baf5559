"""gunicorn for the gateway: `gunicorn -c config/gunicorn.conf.py wsgi:app`. Read again at every SIGHUP."""  # noqa: N999 - the name that gunicorn looks for

import math
import shutil
from typing import Any

from config.allocator import share_one_arena
from config.garbage import keep_what_is_loaded
from config.settings import Settings, SettingsError
from config.worker import DrainingWorker, PipelineLogger, SharedNumber, memory_directory, metrics_directory
from gateway.observability.logging import configure_logging
from gateway.security.rules import check_edge

_settings = Settings.at_start()
try:
    check_edge(_settings.edge)
except SettingsError as error:
    raise SystemExit(str(error)) from None
_web = _settings.web

bind = f"[{_web.host}]:{_web.port}" if ":" in _web.host else f"{_web.host}:{_web.port}"
workers = _web.processes
threads = _web.threads
worker_class = DrainingWorker
timeout = _web.request_timeout_seconds
graceful_timeout = math.ceil(_web.drain_seconds) + _web.graceful_timeout_seconds  # counted from SIGTERM, so it holds the drain too
keepalive = 5
limit_request_line = 8190
limit_request_field_size = 16_380
logger_class = PipelineLogger
accesslog = None  # the application logs requests itself, with their ids
control_socket_disable = True  # it would lie in the home directory, where two gateways share it
worker_tmp_dir = memory_directory()  # the heartbeat file must not wait for a disk
raw_env = [f"PROMETHEUS_MULTIPROC_DIR={metrics_directory()}"]  # read by prometheus_client when the workers import it
proc_name = "api-gateway"

SETTLE_SECONDS = 3.0  # a database that does not answer by then is down as far as the first requests are concerned


def on_starting(server: Any) -> None:
    """In the master, before it listens."""
    share_one_arena()
    configure_logging(_settings.process)
    server.reloads = SharedNumber()


def on_reload(server: Any) -> None:
    """SIGHUP, before new workers start and old ones stop: whoever was born earlier is replaced, not leaving."""
    configure_logging(_settings.process)
    server.reloads.increment()


def post_fork(server: Any, worker: DrainingWorker) -> None:
    """In the worker, before it loads the application."""
    worker.drain_seconds = _web.drain_seconds
    worker.patience_seconds = _web.arrival_seconds
    worker.reloads = server.reloads
    worker.born_at_reload = server.reloads.value


def post_worker_init(worker: DrainingWorker) -> None:
    """The application is loaded, and the worker accepts when this returns: start what runs in the background of this process."""
    if (container := worker.container()) is not None:
        container.start()
        container.settle(SETTLE_SECONDS)
    keep_what_is_loaded()


def worker_exit(_server: Any, worker: DrainingWorker) -> None:
    """The worker's last act; also called in the master for a worker that vanished, which has no container there."""
    if (container := worker.container()) is not None:
        container.stop()


def child_exit(_server: Any, worker: DrainingWorker) -> None:
    """In the master: a worker that ended no longer counts among the requests in progress."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid, metrics_directory())  # type: ignore[no-untyped-call]  # it ships no types


def on_exit(_server: Any) -> None:
    """In the master, at last."""
    shutil.rmtree(metrics_directory(), ignore_errors=True)
