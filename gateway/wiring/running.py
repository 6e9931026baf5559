"""What workers carry out, flows and recoveries: each of the two leaves work to the other."""

from dataclasses import dataclass

from config.settings import Settings
from gateway.analytics.faults import fault_event
from gateway.clock import Clock
from gateway.executions.service import Executions, worker_name
from gateway.recovery.ledger.flows import RunFlow
from gateway.recovery.ledger.service import Recoveries, recovery_event
from gateway.recovery.ledger.strategies import Instances, strategies
from gateway.recovery.model import RECOVERY, Fault
from gateway.spool import FileSpool
from gateway.wiring.calls import Calls, Messages
from gateway.wiring.configuration import ConfigurationRoom
from gateway.wiring.records import Records, spool_directory

RECOVERY_SPOOL_BYTES = 8 * 1024 * 1024  # intents are a few hundred bytes, and one for each target


@dataclass(frozen=True)
class Running:
    """The two services behind the workers' tasks."""

    executions: Executions
    recoveries: Recoveries


def build_running(
    settings: Settings, clock: Clock, *, calls: Calls, messages: Messages, room: ConfigurationRoom, records: Records
) -> Running:
    """A node that fails for good is a fault like any other: written down, learned from, and recovered from."""

    def on_fault(fault: Fault, triggered_by: str) -> None:
        records.analytics.record_fault(fault_event(fault, clock.now()))
        records.patterns.observe(fault)
        if triggered_by != RECOVERY:  # what fails while recovering asks for no recovery of its own
            recoveries.consider(fault)

    executions = Executions(
        outbox=messages.outbox,
        flows=room.flows,
        services=room.services,
        http=calls.http,
        reports=room.reports,
        classify=records.patterns.classify,
        on_fault=on_fault,
        clock=clock,
        settings=settings.worker,
        recovery=calls.recovery,
    )
    recoveries = _build_recoveries(settings, clock, calls=calls, messages=messages, room=room, records=records, executions=executions)
    calls.breakers.listen(recoveries.breaker_changed)
    return Running(executions, recoveries)


def _build_recoveries(
    settings: Settings,
    clock: Clock,
    *,
    calls: Calls,
    messages: Messages,
    room: ConfigurationRoom,
    records: Records,
    executions: Executions,
) -> Recoveries:
    run_flow = RunFlow(room.flows, executions)
    analytics, patterns = records.analytics, records.patterns

    def on_noticed(fault: Fault) -> None:
        """What a watcher saw is a fault like any other."""
        analytics.record_fault(fault_event(fault, clock.now()))
        patterns.observe(fault)

    return Recoveries(
        outbox=messages.outbox,
        spool=FileSpool(spool_directory(settings), "recoveries", RECOVERY_SPOOL_BYTES),
        flows=room.flows,
        strategies=strategies(calls.databases, room.services, Instances(calls.http, clock), run_flow, calls.recovery.credentials),
        snapshot=calls.poller.snapshot,
        on_avoid=room.avoided.replace,
        on_ended=[lambda ended: analytics.record_recovery(recovery_event(ended)), patterns.recovery_ended],
        clock=clock,
        settings=settings.recovery,
        worker=worker_name(),
        policy=patterns.policy,
        find_learned=patterns.find_learned,
        explore=patterns.explore,
        on_noticed=on_noticed,
    )
