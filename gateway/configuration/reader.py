"""Reading through copies: this process's, then the one that all processes share, then the service, asked by one caller for all; or, while
it cannot be asked, the last known good one."""

from collections.abc import Callable
from typing import Any

import structlog

from gateway.caching.flights import Flights
from gateway.clock import Clock
from gateway.configuration.copies import Copies
from gateway.configuration.errors import ConfigurationUnavailable, NotOffered
from gateway.configuration.memory import Copy, Kind, Place
from gateway.configuration.model import Known, Source
from gateway.configuration.postgres import CopyRow
from gateway.configuration.shared import SharedCopies
from gateway.errors import GatewayError, NotFound, UpstreamInvalid

log = structlog.get_logger(__name__)

Fetch = Callable[[], Any]
Found = tuple[Copy, Source]


class Reader:
    """Reads things of the Configuration Service through their copies."""

    def __init__(self, copies: Copies, clock: Clock, *, wait_seconds: float, shared: SharedCopies | None = None) -> None:
        """`shared`: the copies of all processes; without them each process asks for itself.

        `wait_seconds`: how long callers wait for one that asks already; then a copy must do.
        """
        self._copies = copies
        self._shared = shared
        self._flights: Flights[Place, Found] = Flights(wait_seconds, clock)

    def read(
        self, kind: Kind, key: str, fetch: Fetch, *, fresh_seconds: float, lasting: Callable[[Any], bool] = lambda _: True
    ) -> Known[Any]:
        """The thing, as good as it can be had now.

        Args:
            fetch: asks the service; its answer must have been checked, because it replaces the copy.
            fresh_seconds: a copy younger than this, whichever process was told, is not asked again.
            lasting: whether an answer may leave this process.
        Raises:
            NotFound: the service says that there is none; the copy is dropped.
            ConfigurationUnavailable, UpstreamInvalid: the service cannot serve, and there is no copy.
        """
        copy = self._copies.find_in_memory(kind, key)
        if copy and self._copies.age_seconds(copy) < fresh_seconds:
            return self.known(copy, Source.MEMORY)
        try:
            return self.known(*self._together((kind, key), lambda: self._renew(kind, key, fetch, fresh_seconds, lasting)))
        except NotOffered:
            raise
        except ConfigurationUnavailable:
            copy = self._copies.find(kind, key)  # for who waited too long for another caller; or it came meanwhile
            if copy is None:
                raise
            return self.known(copy, Source.LAST_KNOWN_GOOD)

    def known(self, copy: Copy, source: Source) -> Known[Any]:
        """A copy with its goodness."""
        stale = source is Source.LAST_KNOWN_GOOD
        return Known(copy.body, round(self._copies.age_seconds(copy), 3), stale, source, copy.state, copy.problem)

    def replace(self, kind: Kind, key: str, body: Any) -> None:
        """Keep what the service just said to a change; it ends the matter of a flow whose upload was hindered."""
        copy = self._copies.remember(kind, key, body, overrule=True)
        self._share(copy, lasting=True)

    def _together(self, place: Place, renew: Callable[[], Found]) -> Found:
        try:
            return self._flights.run(place, renew)
        except TimeoutError:
            raise ConfigurationUnavailable("The Configuration Service did not answer in time", retry_after_seconds=1) from None

    def _renew(self, kind: Kind, key: str, fetch: Fetch, fresh_seconds: float, lasting: Callable[[Any], bool]) -> Found:
        copy = self._take_shared(kind, key)
        if copy and self._copies.age_seconds(copy) < fresh_seconds:
            return copy, Source.SHARED_CACHE
        try:
            body = fetch()
        except NotFound:
            self._copies.forget(kind, key)
            if self._shared:
                self._shared.drop(kind, key)
            raise
        except NotOffered:
            raise
        except (ConfigurationUnavailable, UpstreamInvalid) as error:
            return self._last_known_good(kind, key, error), Source.LAST_KNOWN_GOOD
        copy = self._copies.remember(kind, key, body, lasting=lasting(body))
        self._share(copy, lasting=lasting(body))
        return copy, Source.SERVICE

    def _last_known_good(self, kind: Kind, key: str, error: GatewayError) -> Copy:
        """The newest copy: of this process, of the shared cache (taken already), or the row, which any process may have written."""
        copy = self._copies.find_newest(kind, key)
        if copy is None:
            raise error
        log.info("last_known_good_served", kind=str(kind), key=key, age_seconds=round(self._copies.age_seconds(copy), 1), code=error.code)
        return copy

    def _take_shared(self, kind: Kind, key: str) -> Copy | None:
        """The shared copy, which then is this process's too; None when this process's own is as new."""
        shared, own = self._shared.find(kind, key) if self._shared else None, self._copies.find_in_memory(kind, key)
        if shared is None or (own and own.fetched_at >= shared.fetched_at):
            return None
        self._copies.hold(CopyRow(kind, key, shared.body, shared.fetched_at))
        return self._copies.find_in_memory(kind, key)

    def _share(self, copy: Copy, *, lasting: bool) -> None:
        if self._shared is None:
            return
        if lasting:
            self._shared.put(copy)
        else:
            self._shared.drop(copy.kind, copy.key)
