"""Keeps the lease of a node while it runs: renewed every third of it, in a thread of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import structlog

from gateway.background import BackgroundLoop
from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.executions.model import Claim
from gateway.executions.postgres_nodes import NodeStore
from gateway.outbox.service import Outbox

log = structlog.get_logger(__name__)


class Leases:
    """Leases of `seconds` each."""

    def __init__(self, outbox: Outbox, clock: Clock, seconds: float) -> None:
        self._outbox = outbox
        self._clock = clock
        self._seconds = seconds

    def end(self) -> datetime:
        """When a lease taken or renewed now runs out."""
        return self._clock.now() + timedelta(seconds=self._seconds)

    @contextmanager
    def keep(self, claim: Claim) -> Iterator[None]:
        """Renew the lease while the block runs. A lease that passed to another is logged; what its holder writes is void anyway."""
        third = self._seconds / 3
        renew = Renewal(claim, self)
        loop = BackgroundLoop("node-lease", lambda: renew(third))
        loop.start()
        try:
            yield
        finally:
            loop.stop()

    def renew(self, claim: Claim) -> bool:
        """Renew once; False when another holder has the node.

        Raises:
            DatabaseError: PostgreSQL failed; the lease stands as it was.
        """
        with self._outbox.transaction() as work:
            return NodeStore(work.connection).renew(claim, self.end())

    def holds(self, claim: Claim) -> bool:
        """Whether the claim is still good, asked before a call is made again. While PostgreSQL cannot be asked it is taken to be."""
        try:
            with self._outbox.transaction() as work:
                return NodeStore(work.connection).holds(claim)
        except GatewayError as error:
            log.info("node_lease_unknown", code=error.code)
            return True


class Renewal:
    """The step of one claim's loop: its first call only waits, the lease is fresh. One that is lost stays lost.

    While PostgreSQL does not answer it is asked again sooner: a lease stands for three intervals.
    """

    def __init__(self, claim: Claim, leases: Leases) -> None:
        self._claim = claim
        self._leases = leases
        self._fresh = True
        self._lost = False

    def __call__(self, interval_seconds: float) -> float:
        if self._fresh or self._lost:
            self._fresh = False
            return interval_seconds
        which = {"execution_id": self._claim.execution_id, "node_id": self._claim.node_id, "epoch": self._claim.epoch}
        try:
            self._lost = not self._leases.renew(self._claim)
        except GatewayError as error:
            log.info("node_lease_not_renewed", code=error.code, **which)
            return interval_seconds / 2
        if self._lost:
            log.warning("node_lease_lost", **which)
        return interval_seconds
