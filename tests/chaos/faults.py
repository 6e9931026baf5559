"""What can be wrong with a server, and how it is brought about and lifted."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.chaos.engines import Engine

DELAY_SECONDS = 0.2


@dataclass(frozen=True)
class Fault:
    """One kind of fault. `down`: the poller calls the database unhealthy while it lasts."""

    name: str
    meaning: str
    apply: Callable[[Engine], None]
    lift: Callable[[Engine], None]
    down: bool = True


def _refuse(engine: Engine) -> None:
    for proxy in engine.proxies:
        proxy.refuse()


def _accept(engine: Engine) -> None:
    for proxy in engine.proxies:
        proxy.accept_again()


def _mode(name: str) -> Callable[[Engine], None]:
    def set_mode(engine: Engine) -> None:
        for proxy in engine.proxies:
            proxy.mode = name

    return set_mode


def _delay(seconds: float) -> Callable[[Engine], None]:
    def set_delay(engine: Engine) -> None:
        for proxy in engine.proxies:
            proxy.delay_seconds = seconds

    return set_delay


def _lock_out(engine: Engine) -> None:
    engine.lock_out()
    engine.drop_connections()


def _fill(engine: Engine) -> None:
    engine.fill()
    engine.drop_connections()


def _relieve(engine: Engine) -> None:
    engine.relieve()
    engine.drop_connections()


FAULTS = {
    fault.name: fault
    for fault in (
        Fault("refused", "the port is closed, and so is every open connection", _refuse, _accept),
        Fault("hung", "it accepts, takes what comes and never answers", _mode("hang"), _mode("pass")),
        Fault("slow", "every answer comes 200 ms late", _delay(DELAY_SECONDS), _delay(0.0), down=False),
        Fault("reset", "the connection is reset in the middle of the answer", _mode("reset"), _mode("pass")),
        Fault("wrong password", "our password was changed and every connection closed", _lock_out, lambda engine: engine.let_in()),
        Fault("full", "it takes no writes: a full disk, full memory, or read-only", _fill, _relieve, down=False),
    )
}
