"""`flask db-check`: ask all six databases now, each by its own driver."""

import time
from collections.abc import Mapping

import click
import msgspec
from flask.cli import with_appcontext

from gateway.api.health_report import critical_down
from gateway.api.models.databases import describe_databases
from gateway.api.services import services
from gateway.cli.report import FAILED, OK, print_json, print_table
from gateway.databases.model import DatabaseName, DatabaseStatus

WATCH_SECONDS = 2.0
HEADINGS = ("DATABASE", "STATUS", "LATENCY", "VERSION", "ROLE", "SERVED BY", "PROBLEM")


@click.command("db-check")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--watch", is_flag=True, help="Ask again every two seconds, until Ctrl-C.")
@click.option("--strict", is_flag=True, help="Fail when any configured database is down, not only a critical one.")
@click.option(
    "--timeout", "timeout_seconds", type=click.FloatRange(0.1, 60), default=3.0, show_default=True, help="Seconds for each database."
)
@with_appcontext
def db_check(*, as_json: bool, watch: bool, strict: bool, timeout_seconds: float) -> None:
    """Connect to all six databases and say how each one is.

    Exit code: 0 when no critical database is down (PostgreSQL is critical); 1 when one is, or with --strict when any configured one is.
    """
    # Left open, each driver complains on its own about its connections when the process ends.
    click.get_current_context().call_on_close(services().databases.close)
    while True:
        code = _check(as_json=as_json, strict=strict, timeout_seconds=timeout_seconds)
        if not watch:
            raise SystemExit(code)
        time.sleep(WATCH_SECONDS)
        click.echo()


def _check(*, as_json: bool, strict: bool, timeout_seconds: float) -> int:
    statuses = services().poller.check_now(timeout_seconds)
    down = critical_down(statuses) if not strict else tuple(name for name, state in statuses.items() if state.status == "unhealthy")
    if as_json:
        print_json({"passed": not down, **_wire(statuses)})
    else:
        print_table(HEADINGS, (_row(name, state) for name, state in statuses.items()))
        click.echo(f"\n❌ Down: {', '.join(down)}" if down else "\n✅ Every database that must be there is there")
    return FAILED if down else OK


def _wire(statuses: Mapping[DatabaseName, DatabaseStatus]) -> dict[str, object]:
    wire: dict[str, object] = msgspec.to_builtins(describe_databases({str(name): state for name, state in statuses.items()}))
    return wire


def _row(name: str, state: DatabaseStatus) -> tuple[str, ...]:
    latency = f"{state.latency_ms:.1f} ms" if state.latency_ms is not None else "-"
    problem = state.error.detail if state.error else ""
    return str(name), state.status, latency, state.version or "-", state.role, state.served_by or "-", problem
