"""Structured logging: JSON in production, readable in a terminal. Called once by each process, never at import."""

import logging
import sys

import structlog

from config.groups import ProcessSettings

HOUSES = ("gateway", "tasks", "configservice", "config")  # our own packages


def configure_logging(settings: ProcessSettings) -> None:
    """Send our events and the libraries' records through one pipeline to standard error."""
    level = logging.getLevelNamesMapping()[settings.log_level]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.StackInfoRenderer(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_renderers(settings)))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.INFO))  # what libraries say when debugged is about themselves, and may hold what they send
    for house in HOUSES:
        logging.getLogger(house).setLevel(level)


def _renderers(settings: ProcessSettings) -> list[structlog.typing.Processor]:
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if _wants_json(settings):
        return [remove_meta, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return [remove_meta, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)]


def _wants_json(settings: ProcessSettings) -> bool:
    if settings.log_format != "auto":
        return settings.log_format == "json"
    return settings.environment == "production" or not sys.stderr.isatty()
