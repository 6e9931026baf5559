"""Which records reach standard error."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from config.settings import Settings
from gateway.observability.logging import HOUSES, configure_logging


@pytest.fixture(autouse=True)
def _loggers_as_before() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in (None, *HOUSES)]
    before, pipeline = [(logger, logger.level, logger.handlers[:]) for logger in loggers], structlog.get_config()
    yield
    structlog.configure(**pipeline)  # ours keeps a logger as it is at its first use, which other tests could not capture
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


@pytest.mark.parametrize(("level", "ours", "libraries"), [("DEBUG", True, False), ("INFO", False, False)])
def test_debugging_tells_of_the_gateway_and_not_of_its_libraries(level: str, ours: bool, libraries: bool) -> None:
    configure_logging(Settings.from_environment({"LOG_LEVEL": level}).process)

    assert logging.getLogger("gateway.outbox.relay").isEnabledFor(logging.DEBUG) is ours
    assert logging.getLogger("urllib3.connectionpool").isEnabledFor(logging.DEBUG) is libraries


def test_a_stricter_level_holds_for_all() -> None:
    configure_logging(Settings.from_environment({"LOG_LEVEL": "WARNING"}).process)

    assert not logging.getLogger("gateway.outbox.relay").isEnabledFor(logging.INFO)
    assert not logging.getLogger("urllib3.connectionpool").isEnabledFor(logging.INFO)
