"""What operators may do with breakers: look at them, force one open, disable one, reset one. Their word holds until the next."""

from collections.abc import Callable, Iterable
from enum import StrEnum

import structlog

from gateway.errors import GatewayError, NotFound
from gateway.recovery.breaker import Breaker, BreakerSnapshot
from gateway.recovery.registry import BreakerNotFound, Breakers
from gateway.targets import SERVICE, kind_of, name_of

log = structlog.get_logger(__name__)


class BreakerAction(StrEnum):
    """As they stand in a path."""

    FORCE_OPEN = "force-open"
    DISABLE = "disable"
    RESET = "reset"


class BreakerActionUnknown(NotFound):
    """There are three actions."""

    code = "BREAKER_ACTION_NOT_FOUND"


class BreakerControl:
    """Takes effect in this process at once, and in all others as soon as the sharing tells them."""

    def __init__(self, breakers: Breakers, service_names: Callable[[], Iterable[str]]) -> None:
        """`service_names`: registered services, whose breakers can be changed before their first call. May raise a GatewayError."""
        self._breakers = breakers
        self._service_names = service_names

    def list_all(self) -> tuple[BreakerSnapshot, ...]:
        """Every breaker that this process knows of, by name."""
        snapshots = self._breakers.snapshot()
        return tuple(snapshots[name] for name in sorted(snapshots))

    def act(self, name: str, action: str, *, caller: str) -> BreakerSnapshot:
        """Change a breaker by hand; returns it as it is then.

        Args:
            caller: who does it, for the log.
        Raises:
            BreakerNotFound: nothing of this name is called by the gateway. BreakerActionUnknown.
        """
        if action not in set(BreakerAction):
            raise BreakerActionUnknown(f"There is no such action; there are {', '.join(BreakerAction)}")
        breaker = self._get(name)
        before = breaker.state()
        match BreakerAction(action):
            case BreakerAction.FORCE_OPEN:
                breaker.force_open()
            case BreakerAction.DISABLE:
                breaker.disable()
            case BreakerAction.RESET:
                breaker.reset()
        after = breaker.snapshot()
        log.warning("breaker_changed_by_operator", target=name, action=action, caller=caller, old=before.value, new=after.state.value)
        return after

    def _get(self, name: str) -> Breaker:
        breaker = self._breakers.find(name)
        if breaker is None and kind_of(name) == SERVICE and self._is_registered(name_of(name)):
            breaker = self._breakers.of(name)
        if breaker is None:
            raise BreakerNotFound("No breaker of this name exists")
        return breaker

    def _is_registered(self, service: str) -> bool:
        try:
            return service in set(self._service_names())
        except GatewayError as error:
            log.info("registered_services_unknown", code=error.code)
            return False
